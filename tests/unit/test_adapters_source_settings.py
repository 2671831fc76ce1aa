"""The `source` sections of Shanghai and Zhejiang: the examples hold, and a slip is told with its key and without what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.runtime.given import SecretRef, checked
from adapters.runtime.model import Adapter
from adapters.runtime.settings import load_settings
from adapters.runtime.source import SourceFault
from adapters.shanghai import ADAPTER as SHANGHAI
from adapters.shanghai.settings import ShanghaiGiven
from adapters.zhejiang import ADAPTER as ZHEJIANG
from adapters.zhejiang.settings import ZhejiangGiven


def example(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "adapter.yaml").read_text(encoding="utf-8"))["source"]
    return found


def test_the_examples_hold_and_show_every_key() -> None:
    shanghai, zhejiang = checked(ShanghaiGiven, example(SHANGHAI.folder)), checked(ZhejiangGiven, example(ZHEJIANG.folder))
    assert shanghai.webhook is not None
    assert set(ShanghaiGiven.model_fields) - set(example(SHANGHAI.folder)) == {"ca_file"}
    assert set(type(shanghai.webhook).model_fields) == set(example(SHANGHAI.folder)["webhook"])
    assert set(ZhejiangGiven.model_fields) == set(example(ZHEJIANG.folder))
    assert zhejiang.folder.is_absolute()


@pytest.mark.parametrize("adapter", [SHANGHAI, ZHEJIANG], ids=lambda adapter: adapter.name)
def test_the_examples_are_settings_as_a_whole(adapter: Adapter) -> None:
    settings = load_settings(adapter.folder / "adapter.yaml")
    assert settings.source == example(adapter.folder)
    assert settings.work_dir == Path("/var/lib/deltahub") / adapter.name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": "http://plain.example"}, "source.base_url: must begin with https://"),
        ({"base_url": "https://"}, "source.base_url: must begin with https://"),
        (
            {"client_secret": "hunter2"},
            "source.client_secret: a secret is not written here; say where it is, as {env: NAME} or {file: PATH}",
        ),
        ({"client_secret": {"env": "A", "file": "/b"}}, "source.client_secret: give either env"),
        ({"client_secret": {}}, "source.client_secret: give either env"),
        ({"page_size": 1001}, "source.page_size: Input should be less than or equal to 1000"),
        ({"timeout": 5}, "source.timeout: Extra inputs are not permitted; there is no such key"),
        ({"webhook": {"listen": "8443"}}, "source.webhook.listen: must be host:port"),
        ({"webhook": {"secrets": []}}, "source.webhook.secrets: List should have at least 1 item"),
        ({"webhook": {"secrets": [{"fil": "/x"}]}}, "source.webhook.secrets[0].fil: Extra inputs are not permitted"),
    ],
)
def test_a_slip_is_told_with_its_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceFault) as fault:
        checked(ShanghaiGiven, {**example(SHANGHAI.folder), **changes})
    assert message in str(fault.value)
    assert str(fault.value).startswith("settings: ")
    assert "hunter2" not in str(fault.value)


def test_a_secret_is_read_where_it_is_named_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    ref = SecretRef(file=path)
    with pytest.raises(SourceFault, match=r"cannot be read \(FileNotFoundError\)"):
        ref.read()
    for text in ("first", "second"):
        path.write_text(f"{text}\n", encoding="utf-8")
        assert ref.read() == text
    path.write_text(" \n", encoding="utf-8")
    with pytest.raises(SourceFault, match="there is no secret in"):
        ref.read()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SourceFault, match="cannot be read"):
        ref.read()
    with pytest.raises(SourceFault, match="environment variable SHANGHAI_NOT_SET"):
        SecretRef(env="SHANGHAI_NOT_SET").read()
    monkeypatch.setenv("SHANGHAI_SET", "here")
    assert SecretRef(env="SHANGHAI_SET").read() == "here"
