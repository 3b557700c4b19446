"""A process that applies compiled rule sets to e-invoices and does nothing else: `official` starts and
asks it.

SaxonC may take its whole process down (akretion/fr-einvoicing#9), and it wants one processor per process,
used again: so it lives here. A request is a line of JSON, {"rules": [path, ..], "bytes": n}, and n bytes
of XML; the answer is a line of JSON, {"findings": [[[rule, severity, text, where], ..] per rule set]} or
{"error": text}.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, BinaryIO

from lxml import etree

SVRL = "{http://purl.oclc.org/dsdl/svrl}"

_STEP = re.compile(
    r"/(?:\*:|Q\{[^}]*\}|[\w.-]+:)?([\w.-]+)(?:\[namespace-uri\(\)\s*=\s*'[^']*'\])?(\[\d+\])?"
)
"""Every way in which compilers write a location's step, down to its name and number."""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    from saxonche import PySaxonProcessor

    with PySaxonProcessor(license=False) as processor:
        compiled: dict[str, Any] = {}
        for line in iter(requests.readline, b""):
            asked = json.loads(line)
            content = requests.read(asked["bytes"])
            try:
                answer: dict[str, Any] = {"findings": _apply(processor, compiled, asked["rules"], content)}
            except Exception as error:  # of any kind: SaxonC raises its own, and all are an answer
                answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
            answers.write(json.dumps(answer).encode() + b"\n")
            answers.flush()


def _apply(
    processor: Any, compiled: dict[str, Any], rules: list[str], content: bytes
) -> list[list[list[str]]]:
    document = processor.parse_xml(xml_text=content.decode())
    return [
        _findings(_sheet(processor, compiled, path).transform_to_string(xdm_node=document)) for path in rules
    ]


def _sheet(processor: Any, compiled: dict[str, Any], path: str) -> Any:
    if path not in compiled:
        compiled[path] = processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=path)
    return compiled[path]


def _findings(report: str | None) -> list[list[str]]:
    if not report:
        raise ValueError("the rule set gave no report: is it Schematron, compiled to XSLT?")
    root = etree.fromstring(report.encode())
    if root.tag != f"{SVRL}schematron-output":
        raise ValueError("the rule set's report is not SVRL: is it Schematron, compiled to XSLT?")
    found = []
    for element in root.iterchildren(f"{SVRL}failed-assert", f"{SVRL}successful-report"):
        flag = element.get("flag") or element.get("role") or "fatal"
        text = " ".join("".join(map(str, element.itertext(f"{SVRL}text"))).split())
        severity = "fatal" if flag.lower() in ("fatal", "error") else "warning"
        found.append([element.get("id") or "", severity, text, place(element.get("location") or "")])
    return found


def place(location: str) -> str:
    """/*:Invoice[namespace-uri()='urn:..'][1]/*:InvoiceLine[..][2] as /Invoice/InvoiceLine[2]."""
    steps = [f"{name}{'' if number in ('', '[1]') else number}" for name, number in _STEP.findall(location)]
    return "/" + "/".join(steps)


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is not an answer
    serve(sys.stdin.buffer, answers)
