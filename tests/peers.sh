#!/bin/sh
# Brings the real peers of the tests from the distribution; tests skip, and say so, where one cannot be had.
set -u
missing=""
for package in "$@"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
echo "── real peers for the tests, from the distribution:$missing"
command -v apt-get >/dev/null || { echo "   no apt-get here: their tests will skip"; exit 0; }
run=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "   not root and no sudo: their tests will skip"; exit 0; }
  run="sudo -n"
fi
# No service of theirs shall start by itself: the tests start their own, on loopback, on free ports.
policy=/usr/sbin/policy-rc.d
made=""
[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' | $run tee $policy >/dev/null && $run chmod +x $policy && made=yes; }
$run apt-get update -qq || echo "   the package lists could not be read anew; trying with those there are"
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq --no-install-recommends $missing >/dev/null \
  || echo "   some could not be installed: their tests will skip"
[ -n "$made" ] && $run rm -f $policy
exit 0
