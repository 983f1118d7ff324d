"""What an office has on its desk: invented applicants, sheets of them, and the answers of the command line."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "applications.csv"
WITH_ERRORS = ROOT / "examples" / "applications-with-errors.csv"

NAMES = ("MUSTER MAX", "BEISPIEL BERTA", "EXEMPLE CHLOE", "ESEMPIO GIULIA")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it has to be."""
        return json.loads(self.out)


def applicant(number: int = 0, **changes: object) -> dict[str, object]:
    """An invented applicant whose permit will not run out while these tests are in use."""
    return {
        "name": NAMES[number],
        "nationality": "DEU",
        "sex": "1",
        "birth_date": f"1984-01-{number + 1:02}",
        "document_number": f"C0FAKE{number:03}",
        "permit_number": f"ZJ2026{number:04}",
        "category": "ABC"[number % 3],
        "employer_name": "椒江样本医药研究院",
        "employer_code": "123310020000DDD18Q",
        "position": "工程师",
        "valid_from": "2025-01-01",
        "valid_until": "2099-12-31",
        "authority": "台州市示范签发机关（样本）",
        "region": "331002",
        **changes,
    }


def sheet(*applicants: dict[str, object], name: str = "sheet.json") -> Path:
    """Applicants as a sheet in the working directory."""
    path = Path(name)
    path.write_text(json.dumps(applicants, ensure_ascii=False), "utf-8")
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its place."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
