"""E-invoices of EN 16931: one record, written as UBL 2.1, read from UBL and CII, and checked. Pure.

`einvoice` is the record, `ubl` and `cii` say where each of its terms stands in a syntax, `binding` walks
those tables both ways, `reading` opens what strangers send, `arithmetic` recomputes it, `schemas` asks
the XSD.
"""
