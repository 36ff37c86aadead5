from tests.cli.calling import call, no_page, source

__all__ = ["call", "no_page", "source"]
