"""A YARN of processes: a ResourceManager and NodeManagers by their own main classes, on loopback addresses.

MiniYARNCluster runs all of them in one JVM, so none can be lost. There is no HDFS: the default file system is this
machine's, which all nodes share, so what spark-submit stages lies in a folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.processes import END_SECONDS, SHORT_LIVED, free_port, kill, wait_until
from tests.yarn.configuration import S3A, SCHEDULER, SPARK, YARN, write

START_SECONDS = 600
HOSTS = ("127.0.0.1", "127.0.0.2")
_RESOURCE_MANAGER = "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager"
_NODE_MANAGER = "org.apache.hadoop.yarn.server.nodemanager.NodeManager"
_COMMAND_LINE = "org.apache.hadoop.yarn.client.cli.ApplicationCLI"
_JAVA = [
    *("-Xmx256m", *SHORT_LIVED.split()),
    # Without Hadoop's native library, which Maven Central has not, a node calls chmod for each file of an archive.
    "-Djdk.lang.Process.launchMechanism=VFORK",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",  # Hadoop 3.3 opens what Java 17 keeps shut
]
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def processes_with(*variables: str) -> list[int]:
    """Return the processes that have all of these ``NAME=value`` in their environment, by their beginnings."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it ended meanwhile
            continue
        if all(any(item.startswith(variable) for item in environment) for variable in variables):
            found.append(int(path.parent.name))
    return found


@dataclass
class Submission:
    """A spark-submit in cluster mode; what it says is in ``errors``."""

    process: subprocess.Popen[bytes]
    errors: Path

    def said(self) -> str:
        """Return what spark-submit has said."""
        return self.errors.read_text(errors="replace")

    def application(self) -> str:
        """Wait for the application's id and return it."""

        def submitted() -> re.Match[str] | None:
            assert self.process.poll() is None or "Submitted application" in self.said(), self.said()[-4000:]
            return re.search(r"Submitted application (application_\d+_\d+)", self.said())

        wait_until(submitted, "an application")
        match = submitted()
        assert match
        return match[1]

    def end(self) -> int:
        """Wait for spark-submit's end and return its exit code."""
        return self.process.wait(END_SECONDS)


@dataclass
class Yarn:
    """The cluster of a PySpark.

    ``environment`` is what its nodes hand to containers, ``classes`` a class path for Spark beside its own.
    """

    folder: Path
    spark_home: Path
    jars: Path
    environment: dict[str, str]
    defaults: dict[str, str] = field(default_factory=dict)
    classes: str = ""
    _ports: dict[str, int] = field(default_factory=dict)
    _nodes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _web_ports: dict[str, int] = field(default_factory=dict)
    _others: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start all; see ``wait_for_nodes``."""
        self._ports = {name: free_port() for name in ("address", "scheduler", "resource-tracker", "admin", "webapp")}
        self._others.append(self._java("ResourceManager", _RESOURCE_MANAGER, HOSTS[0], {}))
        for host in HOSTS:
            self.start_node(host)
        self._configuration("client", {})
        self._write_defaults()

    def start_node(self, host: str) -> None:
        """Start a NodeManager on an address."""
        services = ("address", "localizer.address", "webapp.address", "collector-service.address")
        ports = {name: free_port(host) for name in services}
        self._web_ports[host] = ports["webapp.address"]
        places = {f"yarn.nodemanager.{name}": f"{host}:{port}" for name, port in ports.items()}
        own = {
            "yarn.nodemanager.hostname": host,
            "yarn.nodemanager.local-dirs": str(self.folder / host / "local"),
            "yarn.nodemanager.log-dirs": str(self.folder / host / "logs"),
            "yarn.nodemanager.env-whitelist": ",".join(["JAVA_HOME", "SPARK_LOCAL_IP", *self.environment]),
        }
        self._nodes[host] = self._java(host, _NODE_MANAGER, host, places | own)

    def stop(self) -> None:
        """End all that was started, containers included."""
        kill(*(process.pid for process in (*self._nodes.values(), *self._others)))
        for process in (*self._nodes.values(), *self._others):
            process.wait()
        kill(*processes_with(f"LOCAL_DIRS={self.folder}"))
        for host in HOSTS:
            shutil.rmtree(self.folder / host / "local", ignore_errors=True)  # environments of a gigabyte

    # What becomes of nodes

    def lost_nodes(self) -> list[str]:
        """Return the nodes that were lost."""
        return [host for host in HOSTS if host not in self._nodes]

    def wait_for_nodes(self, *hosts: str) -> None:
        """Wait until these nodes, and no others, are running."""

        def registered() -> bool:
            nodes = self._ask("nodes?states=RUNNING")["nodes"] or {}
            found = nodes["node"] if isinstance(nodes, dict) and nodes else nodes  # Hadoop 3.3 has the list itself
            ports = {int(node["nodeHTTPAddress"].rpartition(":")[2]) for node in found}
            return ports == {self._web_ports[host] for host in hosts}

        def both() -> bool:
            ended = [name for name, process in self._nodes.items() if name in hosts and process.poll() is not None]
            assert not ended, f"{ended}: expected NodeManagers, got their end: see their logs in {self.folder}"
            try:
                return registered()
            except OSError:  # it does not listen yet
                return False

        wait_until(both, f"nodes {hosts}", START_SECONDS)

    def lose_node(self, host: str, *, with_containers: bool) -> None:
        """Kill a NodeManager, and the containers that it has started unless they are to live on."""
        containers = self.containers_on(host) if with_containers else []
        kill(self._nodes[host].pid, *containers)
        self._nodes.pop(host).wait()

    def containers_on(self, host: str) -> list[int]:
        """Return the processes of the containers of a node."""
        return processes_with(f"LOCAL_DIRS={self.folder / host}/")

    def node_of(self, process: int) -> str:
        """Return the node of a container's process."""
        return next(host for host in HOSTS if process in self.containers_on(host))

    # What becomes of applications

    def submit(self, *command: str, **variables: str) -> Submission:
        """Start a command line that begins with spark-submit, in the repository."""
        path = self.folder / f"submission-{len(self._others)}"
        environment = {
            "SPARK_HOME": str(self.spark_home),
            "SPARK_CONF_DIR": str(self.folder / "spark"),
            "HADOOP_CONF_DIR": str(self.folder / "client"),
            "SPARK_LOCAL_IP": HOSTS[0],
            "SPARK_LOCAL_DIRS": str(self.folder / "client"),
            "SPARK_DIST_CLASSPATH": self.classes,
            "SPARK_SUBMIT_OPTS": SHORT_LIVED,
        }
        with path.open("wb") as file:
            process = subprocess.Popen(
                [f"{self.spark_home}/bin/{command[0]}", *command[1:]],
                cwd=Path(__file__).parents[2],
                env=_without_spark() | environment | variables,
                stdout=file,
                stderr=file,
            )
        self._others.append(process)
        return Submission(process, path)

    def kill_application(self, application: str) -> None:
        """``yarn application -kill``, by the main class that the command has."""
        done = self._java("kill", _COMMAND_LINE, HOSTS[0], {}, "application", "-kill", application)
        assert done.wait(END_SECONDS) == 0

    def application(self, application: str) -> dict[str, Any]:
        """Return what the ResourceManager says of an application."""
        found: dict[str, Any] = self._ask(f"apps/{application}")["app"]
        return found

    def attempts(self, application: str) -> int:
        """Return how many application masters an application has had."""
        attempts = self._ask(f"apps/{application}/appattempts")["appAttempts"]
        return len(attempts["appAttempt"] if isinstance(attempts, dict) else attempts)

    def processes(self, application: str) -> list[int]:
        """Return the processes of an application's containers."""
        return processes_with(f"CONTAINER_ID=container_{application.removeprefix('application_')}_")

    def application_master(self, application: str) -> int:
        """Return the JVM of an application's master."""
        return next(
            number
            for number in self.processes(application)
            if b"java\0" in (line := Path(f"/proc/{number}/cmdline").read_bytes())
            and b"yarn.ApplicationMaster\0" in line
        )

    def logs(self, application: str) -> str:
        """Return what the containers of an application have said."""
        files = sorted(self.folder.glob(f"*/logs/{application}/*/std*"))
        return "\n".join(f"== {path.parent.name} {path.name}\n{path.read_text(errors='replace')}" for path in files)

    # How it is set up

    def _ask(self, path: str) -> dict[str, Any]:
        with _DIRECT.open(f"http://{HOSTS[0]}:{self._ports['webapp']}/ws/v1/cluster/{path}", timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def _java(self, name: str, main: str, host: str, own: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
        folder = self._configuration(name, own)
        java = f"{os.environ['JAVA_HOME']}/bin/java" if "JAVA_HOME" in os.environ else "java"
        classes = f"{folder}:{self.jars}/*"
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(
                [java, *_JAVA, f"-Djava.io.tmpdir={folder}", "-cp", classes, main, *arguments],
                cwd=folder,
                env=_without_spark() | self.environment | {"SPARK_LOCAL_IP": host, "HADOOP_CONF_DIR": str(folder)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _configuration(self, name: str, own: dict[str, str]) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "log4j.properties").write_text((Path(__file__).parent / "log4j.properties").read_text())
        write(folder / "core-site.xml", {"fs.defaultFS": "file:///", "hadoop.tmp.dir": str(folder)} | S3A)
        places = {f"yarn.resourcemanager.{name}.address": port for name, port in self._ports.items()}
        places["yarn.resourcemanager.address"] = places.pop("yarn.resourcemanager.address.address")
        ours = {name: f"{HOSTS[0]}:{port}" for name, port in places.items()}
        write(folder / "yarn-site.xml", {"yarn.resourcemanager.hostname": HOSTS[0]} | YARN | ours | own)
        write(folder / "capacity-scheduler.xml", SCHEDULER)
        return folder

    def _write_defaults(self) -> None:
        """Write spark-defaults.conf: where Spark's jars are, and little memory."""
        settings = {
            "spark.yarn.jars": f"local:{self.spark_home}/jars/*",
            "spark.yarn.stagingDir": (self.folder / "staging").as_uri(),
            **SPARK,
            **self.defaults,
        }
        folder = self.folder / "spark"
        folder.mkdir()
        (folder / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))


@contextmanager
def running_yarn(yarn: Yarn) -> Iterator[Yarn]:
    """Run a cluster until the end of the block."""
    try:
        yarn.start()
        yield yarn
    finally:
        yarn.stop()


def _without_spark() -> dict[str, str]:
    left_out = ("SPARK_", "PYSPARK_", "HADOOP_", "YARN_", "MLFLOW_")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
