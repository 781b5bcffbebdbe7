"""What programs read instead of pages: llms.txt, llms-full.txt, robots.txt and the sitemap."""

from __future__ import annotations

from xml.sax.saxutils import escape

from .site import Site


def llms(site: Site) -> str:
    """The index after llmstxt.org: a title, a summary, and lists of links to Markdown."""
    base_url = site.facts.base_url
    lists = (
        f"## {group.title}\n\n"
        + "\n".join(f"- [{page.title}]({base_url}{page.url}.md): {page.description}" for page in group.pages)
        for group in site.groups
    )
    return (
        "# LLMRack\n\n"
        f"> Open-weight language models behind an OpenAI-compatible HTTP API. Base URL: {base_url}/v1\n\n"
        f"The whole documentation in one file: {base_url}/llms-full.txt. "
        f"Machine-readable description of the API: {base_url}/openapi.json.\n\n" + "\n\n".join(lists) + "\n"
    )


def llms_full(site: Site) -> str:
    return "\n\n".join(
        f"<!-- {site.facts.base_url}{page.url} -->\n\n{site.markdown(page)}" for page in site.pages.values()
    )


def robots(site: Site) -> str:
    return (
        "User-agent: *\nDisallow: /dashboard\nDisallow: /v1/\nDisallow: /docs/search\n\n"
        f"Sitemap: {site.facts.base_url}/sitemap.xml\n"
    )


def sitemap(site: Site, paths: list[str]) -> str:
    urls = [*paths, *(page.url for page in site.pages.values())]
    rows = "".join(f"<url><loc>{escape(site.facts.base_url + url)}</loc></url>" for url in urls)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        f"{rows}</urlset>\n"
    )
