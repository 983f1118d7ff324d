"""Hosts, and why there is no connection to one: what people are told, without words that may hold a question."""

import socket
import ssl
from collections.abc import Iterator
from functools import lru_cache

from juying.errors import InputError
from juying.text import Text


def check_host(host: str, where: str) -> None:
    """Raise `InputError` for what can be no name or address of a host, so that nobody waits for it in vain."""
    try:
        usable = bool(host.encode("idna")) and not any(letter.isspace() or letter in "/@" for letter in host)
    except UnicodeError:
        usable = False
    if not usable:
        raise InputError("不是主机名或 IP 地址", "this is neither the name of a host nor an IP address", where=where)


@lru_cache(maxsize=32)
def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """What checks certificate and host name, by the authorities of ``ca_file`` alone or else those of the system.

    It is shared by all who name the same file. Raises OSError when the file is missing or holds no certificates.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def no_connection(error: BaseException) -> Text:
    """Why a connection could not be made, or ended; of an error that wraps another one, the innermost tells."""
    error = [error, *_causes(error)][-1]
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message
        return Text(f"服务器证书无效（{reason}）", f"the certificate of the server does not count ({reason})")
    if isinstance(error, ssl.SSLError):
        return Text("TLS 握手失败", "there is no TLS to be had")
    if isinstance(error, socket.gaierror):
        return Text("主机名无法解析", "the name of the host cannot be resolved")
    if isinstance(error, TimeoutError):
        return Text("时限内没有答复", "no answer in time")
    kind = type(error).__name__
    return Text(f"无法连接或连接中断（{kind}）", f"it cannot be reached, or hung up ({kind})")


def _causes(error: BaseException) -> Iterator[OSError]:
    """The errors of the operating system below an error."""
    below = error.__cause__ or error.__context__
    while below is not None:
        if isinstance(below, OSError):
            yield below
        below = below.__cause__ or below.__context__
