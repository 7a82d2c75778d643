"""HTTP/1.1 as uvicorn speaks it, but what is no HTTP is answered in the shape of all refusals."""

from __future__ import annotations

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.http.errors import Refusal


class SpeechProtocol(H11Protocol):
    """Pass this to uvicorn as `http`."""

    def send_400_response(self, msg: str) -> None:
        """Answer what h11 cannot read, unless another answer has begun; close the connection."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = Refusal(Problem("engine.http.not_http", ExitCode.CONFIG)).response()
            headers = [*answer.raw_headers, (b"connection", b"close")]
            status = answer.status_code
            for event in (
                h11.Response(status_code=status, headers=headers, reason=b"Bad Request"),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
