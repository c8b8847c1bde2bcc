"""Names and titles for the stories: drawn once for each language, then only looked up.

The one user of Faker, which is imported when the first vocabulary is asked for: it costs a tenth
of a second, and most runs of the package need none. Some words are awkward on purpose (quotes,
ampersands, angle brackets, an apostrophe, a character outside the basic plane), because clients
must escape what they show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import msgspec

from fakeserver.errors import UsageError

FAKER_SEED = 20_080_110
"""Any constant would do; this one is the day of the document's sample order."""
PEOPLE_MAX = 120
PRODUCTS_MAX = 150
COLLECTIONS_MAX = 30
ARTICLES_MAX = 40
"""How many of each: enough that a world seldom shows one twice, few enough to build at once."""


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """The words of one shop. Plain text, unescaped; every tuple has at least five entries."""

    people: tuple[str, ...]
    product_titles: tuple[str, ...]
    collection_titles: tuple[str, ...]
    article_titles: tuple[str, ...]
    blog_titles: tuple[str, ...]
    page_titles: tuple[str, ...]
    comment_excerpts: tuple[str, ...]


_Pick = Callable[[tuple[str, ...]], str]

_GARMENTS = (
    "Áo thun",
    "Áo sơ mi",
    "Áo khoác",
    "Áo dài",
    "Quần jean",
    "Quần short",
    "Chân váy",
    "Đầm suông",
    "Khăn choàng",
    "Túi tote",
)
_CLOTHS = ("cotton", "linen", "kaki", "lụa tơ tằm", "đũi", "nhung", "dạ")
_COLOURS = ("trắng", "đen", "xanh rêu", "be", "đỏ đô", "vàng nghệ", "tím than", "kẻ sọc")
_GOODS = (
    "Cà phê rang mộc",
    "Trà ô long",
    "Trà sen",
    "Mật ong rừng",
    "Nước mắm nhĩ",
    "Hạt điều rang muối",
    "Bánh pía",
    "Xà phòng quế",
    "Nến thơm sả chanh",
    "Tinh dầu bưởi",
)
_PACKS = ("250 g", "500 g", "1 kg", "combo 2", "hộp quà Tết", "túi zip", "loại đặc biệt")
_TOPICS = (
    "phối đồ công sở",
    "chọn cà phê ngon",
    "bảo quản đồ lụa",
    "tặng quà ngày Tết",
    "giặt áo len",
    "pha trà tại nhà",
    "chăm sóc da mùa hanh",
)
_HEADLINES = (
    "Mẹo {topic}",
    "5 cách {topic}",
    "Cẩm nang {topic}",
    "Hỏi & đáp: {topic}",
    "{person} chia sẻ kinh nghiệm {topic}",
)
_COLLECTION_WORDS = ("Bộ sưu tập", "Ưu đãi", "Hàng mới", "Bán chạy", "Quà tặng")
_SEASONS = ("mùa hè", "mùa thu", "Tết", "Trung thu", "cuối tuần", "Giáng sinh")

_PEOPLE_AWKWARD = ("Bob Norman", "Siobhán O'Brien", 'Lê "Bi" Minh', "Trần & Con")
_PRODUCTS_AWKWARD = (
    'Áo thun "Sài Gòn" <Limited>',
    "Nước hoa L'Amour & Hoa Hồng",
    "Đất sét màu <3 tuổi & >3 tuổi",
    "Dép lê 'đi chơi' size <36>",
    "Trà sen Tây Hồ 🍵",
    'Màn hình 24" & giá đỡ',
    "IPod Nano - 8GB",
)
_COLLECTIONS_AWKWARD = ("Mẹ & Bé", "Dưới <100.000₫>", 'Bộ sưu tập "Nắng"', "Men's & Women's")
_ARTICLES_AWKWARD = ("Vì sao thẻ <b> & </b> làm chữ đậm?", "Chuyện 'hàng thật' và \"hàng giả\"")
_BLOGS = (
    "Tin tức",
    "Góc tư vấn",
    "Khuyến mãi & sự kiện",
    "Chuyện nhà mình",
    'Nhật ký "bếp nhỏ"',
    "Sống xanh",
)
_PAGES = (
    "Giới thiệu",
    "Liên hệ & bản đồ",
    "Chính sách đổi trả",
    "Hướng dẫn chọn size <S - XL>",
    "Câu hỏi thường gặp",
    "Tuyển dụng",
)
_EXCERPTS = (
    "Hàng đẹp, giao nhanh.",
    "Shop tư vấn nhiệt tình <3",
    "Cho mình hỏi còn size M không?",
    'Màu "xanh rêu" có giống hình không ạ?',
    "Bài viết hay & dễ hiểu, cảm ơn shop!",
    "Mình đặt 2 cái mà chưa thấy giao…",
    "It's perfect, shipped to Huế in two days.",
    "<script>alert(1)</script>",
    "Sẽ ủng hộ shop dài dài 👍",
)


def import_words() -> None:
    """Import Faker now: before a folder can be imported from that may hold another `faker`."""
    import faker  # noqa: F401 - so that it is there


@lru_cache(maxsize=8)
def vocabulary(locale: str) -> Vocabulary:
    """Return the words for `locale` (``vi_VN``), the same ones every time.

    Raises `UsageError` for a language that nobody has written words for.
    """
    if locale != "vi_VN":
        raise UsageError(f"expected a locale that has a vocabulary (vi_VN), got {locale!r}")
    from faker import Faker

    fake = Faker(locale)
    fake.seed_instance(FAKER_SEED)
    pick: _Pick = fake.random_element

    def person() -> str:
        # Family name first: Faker's own name() has the order of English, and its first_name()
        # is English for this locale.
        given = (fake.first_name_female(), fake.first_name_male(), fake.first_name_unisex())
        return f"{fake.last_name()} {fake.middle_name()} {pick(given)}"

    return Vocabulary(
        people=_distinct(_PEOPLE_AWKWARD, person, PEOPLE_MAX),
        product_titles=_distinct(_PRODUCTS_AWKWARD, lambda: _product(pick), PRODUCTS_MAX),
        collection_titles=_distinct(
            _COLLECTIONS_AWKWARD,
            lambda: f"{pick(_COLLECTION_WORDS)} {pick(_SEASONS)}",
            COLLECTIONS_MAX,
        ),
        article_titles=_distinct(
            _ARTICLES_AWKWARD,
            lambda: pick(_HEADLINES).format(topic=pick(_TOPICS), person=person()),
            ARTICLES_MAX,
        ),
        blog_titles=_BLOGS,
        page_titles=_PAGES,
        comment_excerpts=_EXCERPTS,
    )


def _product(pick: _Pick) -> str:
    if pick(("garment", "goods")) == "garment":
        return f"{pick(_GARMENTS)} {pick(_CLOTHS)} {pick(_COLOURS)}"
    return f"{pick(_GOODS)} - {pick(_PACKS)}"


def _distinct(given: Iterable[str], draw: Callable[[], str], most: int) -> tuple[str, ...]:
    """Return `given` and then drawn ones, each once, at most `most` of them."""

    def drawn() -> Iterator[str]:
        yield from given
        for _ in range(most):
            yield draw()

    return tuple(dict.fromkeys(drawn()))[:most]
