"""One self-contained HTML page of a scoring run."""

from .page import ReportSummary, build, shown, write

__all__ = ["ReportSummary", "build", "shown", "write"]
