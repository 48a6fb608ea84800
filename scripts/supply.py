"""What ganad brings along: the packages of a bare installation, their licences, and what is known against them.

    python scripts/supply.py licences         the packages that `pip install ganad` brings, with their licences
    python scripts/supply.py sbom FILE        the same as a CycloneDX bill of materials
    python scripts/supply.py audit            advisories against pinned packages; exit code 1 where there are some

All of it is read from the environment that runs it, which is the one that constraints.txt pins. `make lint` prints what
the audit finds and goes on, because an advisory comes without a change of ours; `python scripts/dev.py audit` fails.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "constraints.hashes.txt"
DATABASE = "https://pypi.org/pypi/idna/3.6/json"  #: where one release's advisories stand
PATIENCE = 60  #: seconds for an audit
#: Licences with which a program that uses ganad would have to be passed on under the same terms.
BINDING = re.compile(r"\b(?:A?GPL|AFFERO|GENERAL PUBLIC)\b", re.IGNORECASE)


def needed(project: Iterable[str]) -> list[metadata.Distribution]:
    """The installed packages that these requirements bring, by name, those that they need included."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [(Requirement(line), "") for line in project]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name not in found:
            found[name] = metadata.distribution(name)
            lines = found[name].requires or []
            waiting += [(Requirement(line), e) for line in lines for e in (requirement.extras or {""})]
    return [found[name] for name in sorted(found)]


def runtime() -> list[metadata.Distribution]:
    """What `pip install ganad` brings, without extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return needed(project["dependencies"])


def licence(package: metadata.Distribution) -> str:
    """A package's licence in its own words: the expression, the classifiers, or the first line of the field."""
    about = package.metadata
    if expression := about.get("License-Expression"):
        return expression
    kinds = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or [] if line.startswith("License ::")]
    return ", ".join(kinds) or (about.get("License") or "").strip().partition("\n")[0] or "not said"


def licences() -> int:
    """Print the list; 1 where one of them binds who uses ganad, or where one says nothing."""
    packages = [(p.metadata["Name"], p.version, licence(p)) for p in runtime()]
    for name, version, words in packages:
        print(f"{name:24} {version:16} {words}")
    doubtful = [name for name, _, words in packages if BINDING.search(words) or words == "not said"]
    if doubtful:
        print(f"to be looked at: {', '.join(doubtful)}", file=sys.stderr)
    return bool(doubtful)


def sbom(path: Path) -> int:
    """Write the bill of materials of a bare installation, with the same bytes for the same packages."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "bom.json"
        command = "-m cyclonedx_py environment --output-reproducible --of JSON --pyproject pyproject.toml -o".split()
        subprocess.run([sys.executable, *command, str(whole), sys.executable], cwd=ROOT, check=True)
        bill = json.loads(whole.read_text("utf-8"))
    path.write_text(json.dumps(pruned(bill), indent=2, sort_keys=True) + "\n", "utf-8")
    return 0


def pruned(bill: dict[str, Any]) -> dict[str, Any]:
    """The bill of the environment without what only development needs."""
    kept = {re.sub(r"[-_.]+", "-", p.metadata["Name"]).lower() for p in runtime()}
    components = [c for c in bill["components"] if re.sub(r"[-_.]+", "-", c["name"]).lower() in kept]
    refs = {c["bom-ref"] for c in components} | {bill["metadata"]["component"]["bom-ref"]}
    edges = [
        edge | {"dependsOn": [ref for ref in edge.get("dependsOn", []) if ref in refs]}
        for edge in bill["dependencies"]
        if edge["ref"] in refs
    ]
    return bill | {"components": components, "dependencies": edges}


def is_reachable() -> bool:
    """Whether the database of advisories answers, found out in seconds."""
    try:
        with urllib.request.urlopen(DATABASE, timeout=3) as answer:
            return "vulnerabilities" in json.load(answer)
    except (OSError, ValueError):
        return False


def audit() -> int:
    """Print what is known against pinned packages; 1 where something is, 0 where nothing is or nobody can be asked."""
    if not is_reachable():
        print(f"advisories: not looked up, for {DATABASE} does not answer")
        return 0
    found = asked()
    if not any("vulns" in package for package in found):
        print("advisories: not looked up, for the database gives no answer")
        return 0
    left = [package["name"] for package in found if "vulns" not in package]
    known = [(package, words) for package in found for words in package.get("vulns", ())]
    for package, words in known:
        mended = ", ".join(words["fix_versions"]) or "no version yet"
        print(f"advisory {words['id']}: {package['name']} {package['version']}, mended in {mended}")
    print(f"advisories: {len(known)} against {len(found) - len(left)} packages; {len(left)} were not looked up")
    return int(bool(known))


def asked() -> list[dict[str, Any]]:
    """What pip-audit says of every pinned package: "vulns" where it was looked up; nothing where it takes too long."""
    # by name and version alone: hashes and markers of several platforms would confuse it; one pin a name
    pins = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", LOCK.read_text("utf-8"), re.MULTILINE))
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text("\n".join(f"{name}=={version}" for name, version in pins.items()), "utf-8")
        command = "-m pip_audit --disable-pip --no-deps --progress-spinner off --format json -r".split()
        try:
            done = subprocess.run(
                [sys.executable, *command, str(wanted)], capture_output=True, text=True, timeout=PATIENCE
            )
            return json.loads(done.stdout)["dependencies"]
        except (subprocess.TimeoutExpired, ValueError):
            return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("licences", "sbom", "audit"))
    parser.add_argument("file", nargs="?", type=Path, help="where the bill of materials goes")
    options = parser.parse_args()
    if options.what == "sbom" and options.file is None:
        parser.error("sbom needs a FILE")
    sys.exit({"licences": licences, "audit": audit, "sbom": lambda: sbom(options.file)}[options.what]())


if __name__ == "__main__":
    main()
