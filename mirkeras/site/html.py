"""Pages from templates: whatever names hold, it is text on the page, and nothing of it runs."""

import hashlib
import re
from base64 import b64encode
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from mirkeras.system.errors import shown

TEMPLATES, STATIC = (Path(__file__).parent / name for name in ("templates", "static"))
#: Files of the site that its pages load.
FILES = ("site.css", "site.js")
_LONGEST = 100  # characters of a file's name


@cache
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_text,
    )
    found.globals |= {"inline": inline, "digest": digest}
    found.filters["slug"] = slug
    return found


def _text(value: object) -> object:
    """Write what a template shows: names on one line, bytes of them that are no text escaped."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return shown(value).encode("utf-8", "backslashreplace").decode()
    return value


def render(template: str, **given: object) -> str:
    """Fill a template in."""
    return _environment().get_template(template).render(**given)


def inline(*names: str) -> Markup:
    """Return static files to stand in a page of its own; `digest` lets the page's policy know."""
    return Markup("".join((STATIC / name).read_text(encoding="utf-8") for name in names))


def digest(*names: str) -> str:
    """Return what a Content-Security-Policy allows inlined static files by."""
    return f"sha256-{b64encode(hashlib.sha256(inline(*names).encode()).digest()).decode()}"


def slug(name: str) -> str:
    """Make a file's name of a row's, a data set's …: plain letters, and as unique as the name."""
    plain = name.replace("/", "--").replace(":", "__")
    kept = re.sub(r"[^\w.@+-]|^[.-]", "-", plain, flags=re.ASCII)
    if kept == plain and "--" not in name and "__" not in name and len(kept) <= _LONGEST:
        return kept
    seal = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{kept[:_LONGEST]}-{seal}"
