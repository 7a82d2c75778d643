"""Every refusal in one JSON shape, whichever endpoint and whichever status.

`error` is what OpenAI's clients read, `message` and `exception` what api_v2's show.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from sovdeck.engine.contract.problem import ExitCode, Problem

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_STATUS_OF_EXIT = {
    ExitCode.CONFIG: 400,
    ExitCode.DATA: 400,
    ExitCode.MEMORY: 503,
    ExitCode.UNREACHABLE: 503,
}
_PARAM_PREFIX = "infer."


class Refusal(Exception):
    """Answers a request with `status` and the problem; `field` is as the client wrote it."""

    def __init__(
        self,
        problem: Problem,
        status: int | None = None,
        field: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(problem.key)
        self.problem = problem
        self.status = status or _STATUS_OF_EXIT.get(problem.exit_code, 500)
        self.field = field
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """Return the answer."""
        message = self.problem.sentence("en")
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {
            "message": message,
            "type": _TYPES.get(self.status, kind),
            "param": self.field or None,
            "code": self.problem.key,
        }
        body = {"error": error, "message": message, "exception": self.problem.as_json()}
        return JSONResponse(body, status_code=self.status, headers=self.headers)


def refuse(problem: Problem, client_fields: Mapping[str, str]) -> Refusal:
    """Return the refusal of a request whose fields the client calls `client_fields[ours]`."""
    name = str(problem.facts.get("name", ""))
    if not name.startswith(_PARAM_PREFIX):
        return Refusal(problem)
    ours = name[len(_PARAM_PREFIX) :]
    field = client_fields.get(ours, ours)
    facts = {**problem.facts, "name": field}
    return Refusal(Problem(problem.key, problem.exit_code, **facts), field=field)
