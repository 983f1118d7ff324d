"""The columns of an application sheet, declared once.

The reader, its error messages and the documentation (:func:`columns_markdown`) all follow this table.
A sheet may head a column with its key, its Chinese or its English heading, or one of the other names
given here; upper and lower case, spaces, punctuation and full-width forms make no difference.
"""

import difflib
import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache

from juying.text import Text


class Kind(Enum):
    """How the cells of a column are tidied before their meaning is looked at."""

    TEXT = auto()
    """Free text: kept as typed, except for surplus white space and full-width letters and digits."""
    WORDS = auto()
    """Words in Latin letters, or a choice from a list: compatibility forms (NFKC) are folded."""
    CODE = auto()
    """A number or code: as WORDS, in capitals and without white space."""
    DATE = auto()
    """A day."""
    FILE = auto()
    """A file name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the sheet.

    ``instead`` names the columns that make a required one dispensable when they are filled. ``digits`` holds
    the lengths allowed for a code that may begin with zeros: text with fewer digits than the shortest, or
    a numeric cell with fewer than the longest, has lost its leading zeros in a spreadsheet.
    """

    key: str
    heading: Text
    also: tuple[str, ...] = ()
    kind: Kind = Kind.CODE
    required: bool = False
    instead: tuple[str, ...] = ()
    note: Text
    example: str
    digits: tuple[int, ...] = ()


_A_DAY = Text(
    "如 2026-12-01、2026/12/1、20261201 或日期单元格",
    "such as 2026-12-01, 2026/12/1, 20261201 or a date cell",
)

COLUMNS: tuple[Column, ...] = (
    Column(
        key="name",
        heading=Text("姓名（护照拉丁字母）", "Name"),
        also=("姓名", "护照姓名", "英文姓名", "passport name", "full name"),
        kind=Kind.WORDS,
        required=True,
        instead=("mrz",),
        note=Text("护照上的拉丁字母姓名，姓在前", "name in Latin letters as in the passport, surname first"),
        example="ERIKSSON ANNA MARIA",
    ),
    Column(
        key="chinese_name",
        heading=Text("中文姓名", "Chinese name"),
        also=("中文名", "汉字姓名"),
        kind=Kind.TEXT,
        note=Text("本人使用的中文姓名，可空", "Chinese name that the person uses, if any"),
        example="安娜",
    ),
    Column(
        key="card_name",
        heading=Text("社保登记姓名", "Card name"),
        also=("参保姓名", "卡面姓名", "registered name"),
        kind=Kind.TEXT,
        note=Text(
            "社会保险登记的姓名，写入社保卡；空则用护照姓名",
            "name as registered with social insurance, written on the card; the passport name if empty",
        ),
        example="",
    ),
    Column(
        key="nationality",
        heading=Text("国籍", "Nationality"),
        also=("国家", "国籍代码", "country"),
        kind=Kind.WORDS,
        digits=(3,),
        required=True,
        instead=("mrz",),
        note=Text(
            "ISO 3166-1 三字母或三位数字代码，或国家名称（如 德国）",
            "ISO 3166-1 alpha-3 or numeric code, or the name of the country (such as 德国)",
        ),
        example="UTO",
    ),
    Column(
        key="sex",
        heading=Text("性别", "Sex"),
        also=("gender",),
        kind=Kind.WORDS,
        required=True,
        instead=("mrz",),
        note=Text(
            "GB/T 2261.1：1 男、2 女、0 未知、9 未说明；也可写 男/女、M/F/X",
            "GB/T 2261.1: 1 male, 2 female, 0 unknown, 9 unspecified; or 男/女, M/F/X",
        ),
        example="2",
    ),
    Column(
        key="birth_date",
        heading=Text("出生日期", "Date of birth"),
        also=("出生年月日", "生日", "birthday"),
        kind=Kind.DATE,
        required=True,
        instead=("mrz",),
        note=_A_DAY,
        example="1974-08-12",
    ),
    Column(
        key="document_number",
        heading=Text("护照号码", "Passport number"),
        also=("护照号", "证件号码", "document no", "passport no"),
        required=True,
        instead=("mrz", "residence_card_number"),
        note=Text(
            "护照号码；永久居留人员可空，以永久居留身份证号代替",
            "passport number; permanent residents may leave it empty, their residence card number then counts",
        ),
        example="L898902C3",
    ),
    Column(
        key="mrz",
        heading=Text("护照机读码", "MRZ"),
        also=("机读码", "机读区", "machine readable zone"),
        note=Text(
            "护照机读区的两行（换行或连写），可代替姓名、国籍、性别、出生日期和护照号码；与之并存时必须一致",
            "the two lines of the passport's machine-readable zone (in two lines or run together); may replace "
            "name, nationality, sex, date of birth and passport number, and must agree with those given",
        ),
        example="P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<< L898902C36UTO7408122F1204159ZE184226B<<<<<10",
    ),
    Column(
        key="residence_card_number",
        heading=Text("永久居留身份证号", "Permanent residence card number"),
        also=("永久居留证号", "永居证号", "外国人永久居留身份证号", "residence card number"),
        note=Text(
            "15 位（2017 版及以前）或 18 位（2023 版），校验位须正确",
            "15 characters (up to the 2017 card) or 18 (2023 card), with a correct check digit",
        ),
        example="",
    ),
    Column(
        key="social_security_number",
        heading=Text("社会保障号码", "Social security number"),
        also=("社保号", "社会保障号", "ssn"),
        note=Text(
            "已由社保经办机构编制的 18 位号码，以此为准；空则按规则由国籍和证件号码生成",
            "the 18 characters as issued by the agency, which always win; if empty, made from nationality and "
            "document number by the rule",
        ),
        example="",
    ),
    Column(
        key="permit_number",
        heading=Text("许可证编号", "Permit number"),
        also=("工作许可证号", "工作许可证编号", "work permit number"),
        required=True,
        note=Text(
            "外国人来华工作许可编号，每人一号，同一表中不得重复",
            "number of the work permit, one per person, not twice in a sheet",
        ),
        example="331002000001",
    ),
    Column(
        key="category",
        heading=Text("人员类别", "Category"),
        also=("类别", "许可类别", "permit category"),
        kind=Kind.WORDS,
        required=True,
        note=Text("A 高端人才、B 专业人才、C 其他人员", "A high-end talent, B professional, C other"),
        example="A",
    ),
    Column(
        key="employer_name",
        heading=Text("用人单位", "Employer"),
        also=("单位名称", "工作单位", "聘用单位", "employer name", "company"),
        kind=Kind.TEXT,
        required=True,
        note=Text("用人单位全称", "full name of the employer"),
        example="台州虚构精密机械有限公司",
    ),
    Column(
        key="employer_code",
        heading=Text("统一社会信用代码", "Employer code"),
        also=("信用代码", "社会信用代码", "unified social credit code", "uscc"),
        required=True,
        note=Text("GB 32100 的 18 位代码，校验位须正确", "18 characters of GB 32100 with a correct check character"),
        example="91331002MA00TE5T2C",
    ),
    Column(
        key="position",
        heading=Text("职务", "Position"),
        also=("岗位", "工作岗位", "job title"),
        kind=Kind.TEXT,
        required=True,
        note=Text("许可的岗位", "the position that the permit is for"),
        example="首席工程师",
    ),
    Column(
        key="valid_from",
        heading=Text("有效期起", "Valid from"),
        also=("有效期开始", "许可开始日期", "有效期自"),
        kind=Kind.DATE,
        required=True,
        note=Text("许可的第一天", "first day of the permit"),
        example="2026-06-01",
    ),
    Column(
        key="valid_until",
        heading=Text("有效期止", "Valid until"),
        also=("有效期至", "许可截止日期", "有效期截止"),
        kind=Kind.DATE,
        required=True,
        note=Text(
            "许可的最后一天，不早于起始日，且尚未过去",
            "last day of the permit, not before the first and not yet past",
        ),
        example="2029-05-31",
    ),
    Column(
        key="authority",
        heading=Text("签发机关", "Authority"),
        also=("发证机关", "issuing authority"),
        kind=Kind.TEXT,
        required=True,
        note=Text("签发许可的机关", "the authority that issued the permit"),
        example="台州市人力资源和社会保障局",
    ),
    Column(
        key="region",
        heading=Text("行政区划", "Region"),
        also=("行政区划代码", "签发地代码", "region code"),
        digits=(6,),
        note=Text(
            "签发地的六位 GB/T 2260 代码；空则用办理机构的代码",
            "six digits of GB/T 2260 for the issuing place; the office's own if empty",
        ),
        example="331002",
    ),
    Column(
        key="card_number",
        heading=Text("社保卡号", "Card number"),
        also=("卡号", "社会保障卡卡号"),
        digits=(8, 9),
        note=Text(
            "九位卡号，或不带校验码的前八位；空则由办理机构分配",
            "nine characters, or the first eight without the check character; allotted by the office if empty",
        ),
        example="",
    ),
    Column(
        key="issued_on",
        heading=Text("发卡日期", "Issued on"),
        also=("card issue date",),
        kind=Kind.DATE,
        note=Text("空则为制卡当日", "the day of issue if empty"),
        example="",
    ),
    Column(
        key="phone",
        heading=Text("联系电话", "Phone"),
        also=("电话", "手机", "手机号", "telephone", "mobile"),
        kind=Kind.WORDS,
        note=Text("写入卡片，卡上可存 15 个字符", "written on the card, which holds 15 characters"),
        example="00000000001",
    ),
    Column(
        key="email",
        heading=Text("电子邮箱", "Email"),
        also=("邮箱", "电子邮件", "e-mail"),
        kind=Kind.WORDS,
        note=Text("写入卡片，卡上可存 50 个字节", "written on the card, which holds 50 bytes"),
        example="anna@example.com",
    ),
    Column(
        key="address",
        heading=Text("通讯地址", "Address"),
        also=("地址", "常住地址", "居住地址"),
        kind=Kind.TEXT,
        note=Text("写入卡片，卡上可存 80 个字节（GBK）", "written on the card, which holds 80 bytes of GBK"),
        example="台州市椒江区虚构路 1 号",
    ),
    Column(
        key="address_region",
        heading=Text("地址行政区划", "Address region"),
        also=("居住地行政区划", "地址区划代码"),
        digits=(6,),
        note=Text("地址的六位 GB/T 2260 代码", "six digits of GB/T 2260 for the address"),
        example="331002",
    ),
    Column(
        key="photo",
        heading=Text("照片", "Photo"),
        also=("照片文件", "相片", "picture"),
        kind=Kind.FILE,
        note=Text(
            "图片文件名，相对于本表所在文件夹，且须在该文件夹之内",
            "file name of a picture, relative to the sheet's folder and inside it",
        ),
        example="photos/anna.jpg",
    ),
    Column(
        key="kind",
        heading=Text("申请类别", "Application kind"),
        also=("办理类别", "业务类别", "申请事项", "kind of application"),
        kind=Kind.WORDS,
        note=Text(
            "首次、首次（境内）、90 日以下、延期、变更、转聘、补办、换发、注销；空则与台账比较后得出",
            "first, first in China, short, extension, change, transfer, reissue lost, reissue damaged, cancel; if "
            "empty, it follows from a comparison with the ledger",
        ),
        example="",
    ),
)

BY_KEY = {column.key: column for column in COLUMNS}

_INSIGNIFICANT = re.compile(r"[\W_]")


def _folded(heading: str) -> str:
    """A heading reduced to its letters and digits, so that its many spellings compare equal."""
    return _INSIGNIFICANT.sub("", unicodedata.normalize("NFKC", heading)).casefold()


@cache
def _by_heading() -> dict[str, Column]:
    return {_folded(name): column for column in COLUMNS for name in (column.key, *column.heading, *column.also)}


def column_of(heading: str) -> Column | None:
    """The column that a sheet's heading means, or None."""
    return _by_heading().get(_folded(heading))


def nearest(heading: str) -> Column | None:
    """The column whose headings look most like an unknown one, or None when none comes close."""
    names = _by_heading()
    close = difflib.get_close_matches(_folded(heading), names, n=1, cutoff=0.5)
    return names[close[0]] if close else None


def _need(column: Column) -> str:
    if not column.required:
        return "可空 / optional"
    if not column.instead:
        return "必填 / required"
    others = ", ".join(f"`{key}`" for key in column.instead)
    return f"必填，除非已填 / required unless given: {others}"


def columns_markdown() -> str:
    """The columns as a Markdown table in both languages, ended by a line feed."""
    lines = [
        "| 键 key | 标题 heading | 必填 required | 内容与规则 content and rule | 例 example |",
        "|---|---|---|---|---|",
    ]
    for column in COLUMNS:
        also = "、".join(column.also)
        heading = f"{column.heading.zh}<br>{column.heading.en}" + (f"<br>{also}" if also else "")
        example = f"`{column.example}`" if column.example else ""
        note = f"{column.note.zh}<br>{column.note.en}"
        lines.append(f"| `{column.key}` | {heading} | {_need(column)} | {note} | {example} |")
    return "\n".join(lines) + "\n"
