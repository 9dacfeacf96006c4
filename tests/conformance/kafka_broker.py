"""A real Kafka broker: Apache's, from Maven Central, run by the machine's Java on loopback.

Its clients reach it through a relay whose connections a test can cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tests.conformance import oracles
from tests.conformance.processes import Child, free_port
from tests.conformance.waiting import eventually

VERSION = "4.1.0"
INSTALL_TIMEOUT_S = 600
PATIENCE_S = 180  # a Java on a machine that others use
# There sooner, since it does not live long.
QUICKLY = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
POM = f"""
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>rtour</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""
SETTINGS = """
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},LOGIN://127.0.0.1:{login}
advertised.listeners=PLAINTEXT://127.0.0.1:{relay},LOGIN://127.0.0.1:{login}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGIN:SASL_PLAINTEXT
listener.name.login.sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config={jaas} user_{user}="{password}";
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""
JAAS = "org.apache.kafka.common.security.plain.PlainLoginModule required"
USER, PASSWORD = "ada", "right-password"
CLUSTER_ID = "cnRvdXItY29uZm9ybWFuY2U"


def available() -> bool:
    """Whether there is a Java to run it, and a Maven to bring it or its files already."""
    return shutil.which("java") is not None and (_brought() or shutil.which("mvn") is not None)


def _folder() -> Path:
    return oracles.ORACLES / f"kafka-{VERSION}"


def _brought() -> bool:
    """Whether its files are there, and of these dependencies."""
    stamp = _folder() / "stamp"
    return stamp.exists() and stamp.read_text() == POM


def install() -> Path:
    """Bring the broker's jars, once; other processes wait for the first."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _brought():
            (folder / "pom.xml").write_text(POM)
            command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"]
            subprocess.run(
                command, cwd=folder, check=True, timeout=INSTALL_TIMEOUT_S, capture_output=True
            )
            (folder / "stamp").write_text(POM)
    return folder / "libs"


class Relay:
    """A port that passes bytes on to another one, until its connections are cut."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, far_writer}
        with contextlib.suppress(OSError):
            await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def connections(self) -> int:
        """How many are passed on now."""
        return len(self._writers) // 2

    def cut(self) -> None:
        """Break every connection, mid-word."""
        for writer in self._writers:
            writer.transport.abort()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(64 << 10):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


class Broker:
    """One broker with its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._controller, self._login = free_port(), free_port(), free_port()
        self.relay = Relay(self._port)
        self._command: list[str] = []
        self._child: Child | None = None

    @property
    def address(self) -> str:
        """Where clients find it: the relay, which is also what it tells them."""
        return f"127.0.0.1:{self.relay.port}"

    @property
    def login_address(self) -> str:
        """Where clients find it that have a name and a password."""
        return f"127.0.0.1:{self._login}"

    def _settings(self) -> str:
        return SETTINGS.format(
            folder=self._folder,
            port=self._port,
            controller=self._controller,
            login=self._login,
            relay=self.relay.port,
            jaas=JAAS,
            user=USER,
            password=PASSWORD,
        )

    async def start(self) -> None:
        libs = install()
        self._folder.mkdir(parents=True)
        settings = self._folder / "server.properties"
        settings.write_text(self._settings())
        java = ["java", *QUICKLY, "-cp", f"{libs}/*"]
        storage = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID]
        formatting = await asyncio.create_subprocess_exec(
            *storage, "-c", str(settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert await formatting.wait() == 0, "the broker's folder could not be made"
        await self.relay.start()
        self._command = [*java, "kafka.Kafka", str(settings)]
        await self.start_again()

    async def start_again(self) -> None:
        """After `kill`: on the same ports, with what it had stored."""
        self._child = Child(self._command, self._folder / "kafka.log", {}, self._folder)
        await eventually("the Kafka broker is ready", self._ready, within_s=PATIENCE_S)

    def kill(self) -> None:
        """As a power cut would."""
        assert self._child is not None, "not running"
        self._child.kill()
        self._child = None

    async def _ready(self) -> bool:
        return await asyncio.to_thread(_answers, f"127.0.0.1:{self._port}")

    async def topic(self, name: str, partitions: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.address})
        (made,) = admin.create_topics([NewTopic(name, partitions, 1)]).values()
        await asyncio.to_thread(made.result, 30)

    def producer(self) -> Any:
        return Producer({"bootstrap.servers": self.address, "enable.idempotence": True})

    async def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
        await self.relay.stop()


def _answers(address: str) -> bool:
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    try:
        return bool(admin.list_topics(timeout=1).brokers)
    except Exception:  # noqa: BLE001 - not yet
        return False


@contextlib.asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[Broker]:
    """A running broker."""
    made = Broker(folder)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
