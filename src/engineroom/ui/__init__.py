"""What every face is made of, and nothing about any one room.

`static/ui/tokens.css` is the language of the design as custom properties: space, type, colour, light and
dark; `elements.css` makes bare HTML look right; `components/` has a file for each component, `js/` the small
modules; `stylesheet` joins the styles into one file. `templatetags/ui.py` draws the components and begins
with their cheat sheet; `parts` are the records they take; `guide` shows all of them at /style.

`display` turns amounts, times and dates into text; `charts` draws labelled inline SVG; `picture` lays out
the thread; `typeset` and `document.typ` make PDFs; `report` makes the one-file HTML report of a run. All of
these are data in, text or bytes out: no database, no request, no clock. `pages` is what a page of any room
is made with.
"""
