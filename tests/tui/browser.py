"""Chromium without a window, driven over its DevTools protocol: no other program, no library."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE_S = 30
# What moves the cursor and colours the text.
_ESCAPES = re.compile(r"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")
_WITH_TEXT = {"Enter": "\r"}
_CODES = {"Enter": 13, "Escape": 27}


def installed() -> str | None:
    """Chromium's path, if it is there."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page: keys in; what its socket brings, its complaints and its picture out."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._news = asyncio.Event()
        self._received = b""
        self.complaints: list[str] = []

    async def listen(self) -> None:
        """Takes in what the browser says, until it ends."""
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
            else:
                self._happened(told["method"], told["params"])

    def _happened(self, event: str, params: dict[str, Any]) -> None:
        if event == "Network.webSocketFrameReceived" and params["response"]["opcode"] == 2:
            self._received += base64.b64decode(params["response"]["payloadData"])
            self._news.set()
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol; its result."""
        number = len(self._answers) + 1
        while number in self._answers:
            number += 1
        future = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        await self._socket.send_json({"id": number, "method": method, "params": params})
        answer = await asyncio.wait_for(future, PATIENCE_S)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str) -> None:
        """Loads a page and begins to take note."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)

    async def press(self, *keys: str) -> None:
        """Presses keys, wherever the focus is; what came before is forgotten."""
        self._received = b""
        for key in keys:
            text = _WITH_TEXT.get(key, key if len(key) == 1 else "")
            for kind in ("keyDown", "keyUp"):
                typed = {"text": text} if text and kind == "keyDown" else {}
                code = _CODES.get(key, 0)
                await self.call(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    windowsVirtualKeyCode=code,
                    **typed,
                )

    @property
    def text(self) -> str:
        """What was drawn since the last keys, without colours and places."""
        return _ESCAPES.sub("", self._received.decode("utf-8", "replace"))

    async def until(self, *words: str) -> None:
        """Waits until all words were drawn."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not all(word in self.text for word in words):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pytest.fail(f"never drawn: {words}\n{self.text}")
            pytest.fail(f"never drawn: {words}\n{self.text}")

    async def value(self, expression: str) -> Any:
        """What JavaScript says."""
        told = await self.call("Runtime.evaluate", expression=expression)
        return told["result"].get("value")

    async def picture(self) -> bytes:
        """The page, once two looks in a row are the same, as WebP."""
        before = b""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                told = await self.call("Page.captureScreenshot", format="webp", quality=60)
                now = base64.b64decode(told["data"])
                if now == before:
                    return now
                before = now


@asynccontextmanager
async def chromium(folder: Path, size: tuple[int, int] = (1200, 800)) -> AsyncIterator[Page]:
    """A browser with an empty page and a profile of its own in `folder`."""
    program = installed()
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        f"--window-size={size[0]},{size[1]}",
        "about:blank",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            while b"DevTools listening on" not in (line := await process.stderr.readline()):
                assert line, "chromium ended"
        origin = re.search(rb"ws://([^/]+)", line)
        assert origin is not None
        async with aiohttp.ClientSession() as http:
            listed = await (await http.get(f"http://{origin[1].decode()}/json")).json()
            url = next(each for each in listed if each["type"] == "page")["webSocketDebuggerUrl"]
            async with http.ws_connect(url, max_msg_size=0) as socket, asyncio.TaskGroup() as tasks:
                page = Page(socket)
                tasks.create_task(page.listen())
                yield page
                await socket.close()
    finally:
        process.terminate()
        await process.wait()
