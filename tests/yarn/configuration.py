"""What Hadoop and Spark are told in the tests: small memory, short intervals."""

from pathlib import Path
from xml.sax.saxutils import escape

from tests.processes import SHORT_LIVED, SHORT_LIVED_EXECUTORS

# s3:// is EMR's own file system there; here it is Apache's.
S3A = {
    "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "fs.s3a.path.style.access": "true",
    "fs.s3a.endpoint.region": "us-east-1",
}
YARN = {
    "yarn.nodemanager.resource.memory-mb": "4096",
    "yarn.nodemanager.resource.cpu-vcores": "6",
    "yarn.scheduler.minimum-allocation-mb": "64",
    "yarn.nodemanager.vmem-check-enabled": "false",
    # Hadoop 3 leaves memory to cgroups, whether there are any or not, unless it is told to look itself.
    "yarn.nodemanager.resource.memory.enforced": "false",
    "yarn.nodemanager.container-monitor.interval-ms": "500",
    # A disk that is 90 % full is no fault of the test; a node looks once when it starts, even with the checker off.
    "yarn.nodemanager.disk-health-checker.enable": "false",
    "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "100",
    "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": "200",
    "yarn.nm.liveness-monitor.expiry-interval-ms": "10000",  # YARN's own: 10 minutes
}
SCHEDULER = {
    "yarn.scheduler.capacity.schedule-asynchronously.scheduling-interval-ms": "50",  # its own 5 ms: 2% of a core
    "yarn.scheduler.capacity.root.queues": "default",
    "yarn.scheduler.capacity.root.default.capacity": "100",
    "yarn.scheduler.capacity.maximum-am-resource-percent": "1.0",
}
SPARK = {
    "spark.master": "yarn",  # as on EMR, whose steps do not say it
    "spark.driver.memory": "512m",
    "spark.executor.memory": "512m",
    "spark.executor.instances": "1",  # it starts sooner; what is a matter of two asks for them
    "spark.driver.extraJavaOptions": SHORT_LIVED,
    **SHORT_LIVED_EXECUTORS,
    "spark.ui.enabled": "false",
    "spark.yarn.report.interval": "200ms",
    "spark.yarn.scheduler.heartbeat.interval-ms": "300",
    "spark.yarn.am.waitTime": "300s",
}


def write(path: Path, settings: dict[str, str]) -> None:
    """Write a configuration file of Hadoop."""
    lines = (
        f"<property><name>{name}</name><value>{escape(value)}</value></property>" for name, value in settings.items()
    )
    path.write_text(f"<configuration>\n{chr(10).join(lines)}\n</configuration>\n")
