"""A sheet of invented applicants, as large as needed."""

import csv
import sys
from pathlib import Path

NAMES = ("MUSTER", "BEISPIEL", "EXEMPLE", "ESEMPIO", "EJEMPLO", "EXEMPLO", "VOORBEELD", "PRZYKLAD")
EMPLOYERS = (
    ("椒江样本医药研究院", "123310020000DDD18Q"),
    ("台州虚构缝制设备有限公司", "91331002MA00AAA100"),
    ("玉环想象阀门股份有限公司", "91331083MA00BBB15E"),
)


def write_sheet(path: Path, count: int) -> Path:
    """Write a CSV file with ``count`` applicants; its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = [applicant(number) for number in range(count)]
        writer = csv.DictWriter(file, fieldnames=list(applicant(0)))
        writer.writeheader()
        writer.writerows(rows)
    return path


def applicant(number: int) -> dict[str, str]:
    """The applicant with this number, whose names, numbers and employer nobody has."""
    letters = "".join(chr(65 + number // 26**place % 26) for place in range(4))
    name, code = EMPLOYERS[number % len(EMPLOYERS)]
    return {
        "name": f"{NAMES[number % len(NAMES)]} {letters}",
        "nationality": "DEU",
        "sex": "12"[number % 2],
        "birth_date": f"19{60 + number % 40}-{1 + number % 12:02}-{1 + number % 28:02}",
        "document_number": f"C{number:08}",
        "permit_number": f"ZJ{number:010}",
        "category": "ABC"[number % 3],
        "employer_name": name,
        "employer_code": code,
        "position": "工程师",
        "valid_from": "2026-01-01",
        "valid_until": "2030-12-31",
        "authority": "台州市示范签发机关（样本）",
        "region": "331002",
    }


if __name__ == "__main__":
    print(write_sheet(Path(sys.argv[1]), int(sys.argv[2])))
