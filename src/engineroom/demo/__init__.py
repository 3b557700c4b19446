"""The demo: a sample firm's ordinary input files, and the bank that answers them.

Owns the sample client's people, customers and hours as data, writes them as the files a firm really gets
(CSV and XLSX, dates and hours in every notation, blank lines, trailing spaces), and plays the bank that pays
them. It touches no database: what it writes goes in through the same importers and commands as anybody's
files. Used by the `demo` command alone; no other room holds sample data. Everything is drawn from one fixed
seed: the same bytes every time.

Nobody here exists. National Insurance numbers begin with QQ, which is never issued; sort codes begin with 00,
which is no bank's; postcodes end in letters that no postcode has there; mail goes to example domains (RFC
2606).
"""
