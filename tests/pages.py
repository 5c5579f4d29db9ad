"""Reading a page of HTML as a reader sees it: its tables, images, links and text."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """What stands on a page.

    ``tables`` are lists of rows, each the texts of its cells, under their captions; ``images`` and
    ``links`` are the attributes of each.
    """

    void = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self, html):
        super().__init__()
        self.tables, self.images, self.links, self.ids = {}, [], [], []
        self.badges, self.loaded, self.scopes, self.open = [], [], [], []
        self.words, self.title, self._rows, self._cell, self._caption = [], "", [], None, None
        self.policy = ""
        self.feed(html)
        assert not self.open, f"never closed: {self.open}"
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.policy += attributes.get("content", "") if "http-equiv" in attributes else ""
        if tag not in self.void:
            self.open.append(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.loaded += [attributes["src"]] if "src" in attributes else []
        kept = {"img": (self.images, attributes), "a": (self.links, attributes.get("href")),
                "link": (self.loaded, attributes.get("href")), "tr": (self._rows, []),
                "th": (self.scopes, attributes.get("scope"))}  # fmt: skip
        if tag == "table":
            self._rows = []
        elif tag == "caption":
            self._caption = []
        elif tag == "span" and "badge" in attributes.get("class", ""):
            self.badges.append(attributes["class"])
        elif tag in kept:
            where, what = kept[tag]
            where.append(what)
        if tag in ("td", "th"):
            self._cell = []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"
        if tag in ("td", "th"):
            self._rows[-1].append(" ".join("".join(self._cell).split()))
            self._cell = None
        elif tag == "caption":
            self._caption = " ".join("".join(self._caption).split())
        elif tag == "table":
            self.tables.setdefault(self._caption, []).append(self._rows)
            self._caption = None

    def handle_data(self, data):
        if self.open and self.open[-1] == "title":
            self.title += data
        if self.open and self.open[-1] == "style":
            return
        self.words.append(data)
        if self._cell is not None:
            self._cell.append(data)
        elif isinstance(self._caption, list):
            self._caption.append(data)

    def rows(self, start):
        """Rows of the only table whose caption starts so: name of the row -> its other cells."""
        (table,) = [
            table
            for caption, tables in self.tables.items()
            if caption.startswith(start)
            for table in tables
        ]
        return {row[0]: row[1:] for row in table if len(row) > 1}
