from releve.demo.browser import Page

PAGE = """<a href="/?ward=MED">MED</a>
<form method="post" action="/patient/1/note"><input type="hidden" name="csrf" value="x&amp;y">
<textarea name="text"></textarea><button name="go" value="1">ok</button></form>
<form action="/admission" method="POST"><input name="ward" value="URG"><input type="radio" name="sex" value="male">
<input type="radio" name="sex" value="female" checked><select name="lang"><option value="fr">
<option value="en" selected></select><input type="checkbox" name="known"></form>"""


def test_a_form_holds_what_it_held_before_anybody_typed() -> None:
    page = Page("http://h/patient/1", 200, PAGE)
    note = page.form_with("text")
    assert note is not None
    assert (note.action, note.method, note.values) == ("/patient/1/note", "post", {"csrf": "x&y", "text": ""})
    admission = page.form_with("ward", "sex")
    assert admission is not None
    assert admission.values == {"ward": "URG", "sex": "female", "lang": "en"}
    assert page.form_with("password") is None


def test_links_are_found() -> None:
    assert Page("http://h/", 200, PAGE).links == ["/?ward=MED"]
