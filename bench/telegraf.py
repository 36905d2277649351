"""Telegraf between the same broker and the same log, where one is on the PATH: MQTT to Kafka, JSON, all replicas."""

import asyncio
import subprocess
import time
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

PARTITIONS = 12

_CONFIGURATION = """\
[agent]
  interval = "10s"
  flush_interval = "200ms"
  metric_batch_size = 5000
  metric_buffer_limit = 1000000
  omit_hostname = true
  logfile = "{folder}/telegraf.log"

[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["citynerve/v1/+/readings"]
  qos = {qos}
  client_id = "telegraf"
  persistent_session = true
  max_undelivered_messages = 20000
  data_format = "json"
  tag_keys = ["device"]
  json_time_key = "at"
  json_time_format = "unix_ms"

[[outputs.kafka]]
  brokers = ["{kafka}"]
  topic = "{topic}"
  required_acks = -1
  max_message_bytes = 1000000
  data_format = "json"
"""


def measure(program: str, folder: Path, port: int, kafka: str, topic: str, qos: int, load: list[str]) -> float:
    """Run Telegraf under `load`, a command that sends the messages; return its CPU a message, µs."""
    configuration = folder / f"telegraf-{topic}.conf"
    text = _CONFIGURATION.format(folder=folder, port=port, qos=qos, kafka=kafka, topic=topic)
    configuration.write_text(text, encoding="utf-8")
    process = subprocess.Popen([program, "--config", str(configuration)], stderr=subprocess.DEVNULL)
    try:
        time.sleep(3)
        before = _cpu_s(process.pid)
        subprocess.run(load, check=True, stdout=subprocess.DEVNULL, timeout=120)
        count = asyncio.run(_settled(kafka, topic))
        return (_cpu_s(process.pid) - before) / count * 1e6
    finally:
        process.kill()
        process.wait()


def _cpu_s(pid: int) -> float:
    """Return what a process and its threads have used, from the kernel's ticks of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def _settled(kafka: str, topic: str) -> int:
    """Return how many records the topic has once there come no more."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        count, before = 0, -1
        while count != before or not count:
            before = count
            await asyncio.sleep(2)
            count = sum((await consumer.end_offsets(places)).values())
        return count
    finally:
        await consumer.stop()
