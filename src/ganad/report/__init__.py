"""One self-contained HTML page of a scoring run."""

from .page import ReportSummary, build, write

__all__ = ["ReportSummary", "build", "write"]
