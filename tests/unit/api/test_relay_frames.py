from __future__ import annotations

import json

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from api.relay.frames import event_frames


@pytest.mark.parametrize("size", [0, 60, 100, 125, 126, 60_000, 65_536, 200_000])
def test_frames_are_what_a_client_reads(size: int) -> None:
    texts = [json.dumps({"n": n, "text": "ü" * size}, ensure_ascii=False) for n in range(3)]
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(event_frames("workflow_event", texts))
    messages = [event for event in client.events() if isinstance(event, TextMessage)]
    whole = "".join(message.data for message in messages)
    assert whole == "".join(f'42["workflow_event",{text}]' for text in texts)
    assert sum(message.message_finished for message in messages) == 3
