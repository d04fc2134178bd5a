"""`python -m releve.cli`, where the script is not on the path."""

import sys

from releve.cli import main

sys.exit(main())
