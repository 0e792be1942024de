"""The keywords of LLMLab() and init(): the settings of docs/CONFIGURATION.md
with "_" for ".". A test holds them to the library's own table."""

from __future__ import annotations

import os
from typing import Literal, TypedDict


class Settings(TypedDict, total=False):
    url: str | os.PathLike[str] | None
    service: str | os.PathLike[str] | None
    environment: str | os.PathLike[str] | None
    release: str | os.PathLike[str] | None
    enabled: bool | str | None
    exporter: Literal[
        "server", "console", "file", "memory"] | None
    exporter_file: str | os.PathLike[str] | None
    sample_rate: float | str | None
    live: bool | str | None
    capture_content: Literal["off", "metadata", "full"] | None
    capture_max_bytes: int | str | None
    fingerprint: Literal["off", "request", "prefix"] | None
    fingerprint_key: str | None
    queue_max_bytes: int | str | None
    queue_ring_bytes: int | str | None
    queue_full: Literal["drop", "wait"] | None
    queue_wait_ms: int | str | None
    spool_mode: str | os.PathLike[str] | None
    spool_max_bytes: int | str | None
    spool_ring_dir: str | os.PathLike[str] | None
    exit_flush_ms: int | str | None
    batch_max_calls: int | str | None
    batch_max_age_ms: int | str | None
    batch_max_bytes: int | str | None
    compress_level: int | str | None
    delivery_timeout_ms: int | str | None
    retry_base_ms: int | str | None
    retry_max_ms: int | str | None
    retry_probe_ms: int | str | None
    retry_pace_ms: int | str | None
    http_connect_timeout_ms: int | str | None
    http_timeout_ms: int | str | None
    tls_ca_file: str | os.PathLike[str] | None
    tls_ca_dir: str | os.PathLike[str] | None
    tls_ca_pem: str | os.PathLike[str] | None
    tls_cert_file: str | os.PathLike[str] | None
    tls_key_file: str | os.PathLike[str] | None
    proxy: str | None
    no_proxy: str | os.PathLike[str] | None
    prices_file: str | os.PathLike[str] | None
    prices_public_key: str | os.PathLike[str] | None
    prices_url: str | os.PathLike[str] | None
    prices_interval_ms: int | None
    language: str | os.PathLike[str] | None
    log_level: Literal["debug", "info", "warning", "error"] | None
    debug: bool | str | None
