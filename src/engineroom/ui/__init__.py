"""What every face is made of, and nothing about any one room.

`tokens.css` is the language of the design as custom properties: space, type, colour, light and dark.
`display` turns amounts, times and dates into text; `charts` draws labelled inline SVG; `typeset` and
`document.typ` make PDFs; `report` makes the one-file HTML report of a run. All of it is data in, text or
bytes out: no database, no request, no clock.
"""
