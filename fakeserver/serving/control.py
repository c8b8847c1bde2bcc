"""The control API as a WSGI application: who may ask, what is asked, and answers to slips."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from fakeserver.errors import HarnessError, UsageError
from fakeserver.serving.bodies import read_parameters
from fakeserver.serving.endpoints import MAIN_ONLY, OPEN, PAGED, PREFIX, ROUTES, Endpoint, Here
from fakeserver.serving.guard import Guard
from fakeserver.serving.problems import Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

METHOD_CHARS_MAX, PATH_CHARS_MAX = 20, 200
"""A message quotes what was asked, but not all of something huge."""


LIKE_A_PATH = 0.85
"""All paths begin alike, so only a near one is meant."""


class Control:
    """The control API of one world, `here`. Nothing that a client can send makes it raise."""

    def __init__(self, here: Here, guard: Guard) -> None:
        self.here = here
        self._guard = guard
        self._routes = [
            route for route in ROUTES if here.feeds is not None or route[2] not in MAIN_ONLY
        ]
        self._map = Map(
            [
                Rule(PREFIX + path, endpoint=endpoint, methods=[verb])
                for verb, path, endpoint in self._routes
            ],
            strict_slashes=False,
            merge_slashes=False,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as WSGI asks."""
        request = Request(environ, populate_request=False)
        try:
            response = self._answer(request)
        except Problem as problem:
            response = problem.response(request.path)
        except UsageError as error:
            response = Problem(422, "invalid", str(error)).response(request.path)
        except HarnessError as error:
            response = Problem(500, "own-failure", str(error)).response(request.path)
        except Exception as error:
            traceback.print_exc(file=environ["wsgi.errors"])
            says = f"a slip of fakeserver, not of yours: {type(error).__name__}: {error}"
            response = Problem(500, "own-slip", says).response(request.path)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        self._guard.check_source(request.environ)
        endpoint, arguments = self._find(request)
        if endpoint not in OPEN:
            self._guard.check_token(request.environ)
        if endpoint not in PAGED:
            read_parameters(request, ())
        return endpoint(self.here, request, **arguments)

    def _find(self, request: Request) -> tuple[Endpoint, dict[str, Any]]:
        """Return what answers, and what it takes from the path. Raises `Problem` (404, 405)."""
        method = request.method
        try:
            found, arguments = self._map.bind("").match(request.path, method)
        except MethodNotAllowed as error:
            allowed = sorted(error.valid_methods or ())
            raise Problem(
                405,
                "wrong-method",
                f"expected {', '.join(allowed)} for {request.path[:PATH_CHARS_MAX]}, "
                f"got {method[:METHOD_CHARS_MAX]!r}",
                headers=[("Allow", ", ".join(allowed))],
            ) from error
        except NotFound as error:
            raise self._unknown(request) from error
        return found, dict(arguments)

    def _unknown(self, request: Request) -> Problem:
        paths = [PREFIX + path for _, path, _ in self._routes]
        near = get_close_matches(request.path[:PATH_CHARS_MAX], paths, n=1, cutoff=LIKE_A_PATH)
        hint = f"; did you mean {near[0]}?" if near else "; see endpoints for what there is"
        asked = f"{request.method[:METHOD_CHARS_MAX]} {request.path[:PATH_CHARS_MAX]}"
        return Problem(
            404,
            "unknown-endpoint",
            f"there is no {asked}{hint}",
            endpoints=[
                f"{verb} {PREFIX}{path}".replace("<", "{").replace(">", "}")
                for verb, path, _ in self._routes
            ],
        )
