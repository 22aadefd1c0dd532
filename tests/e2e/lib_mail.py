"""The mails of an instance: what lectern-jobs has written into its MAIL_DIR.

mailbox_of(instance's directory).wait(address, kind) → the newest one; link(mail), secret(mail).
"""
import email
import email.policy
import pathlib
import re
import time

from conftest import INSTANCE


class Mailbox:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.known = {}

    def all(self, address=None, kind=None):
        """In the order in which they were asked for: files are named by the time of the row."""
        for path in sorted(self.dir.glob("*.eml")):
            if path not in self.known:
                self.known[path] = email.message_from_bytes(path.read_bytes(),
                                                            policy=email.policy.default)
        return [m for _, m in sorted(self.known.items())
                if (address is None or address in addresses(m))
                and (kind is None or m["x-lectern-kind"] == kind)]

    def wait(self, address, kind, count=1, seconds=15):
        """The newest of at least so many mails to an address"""
        until = time.monotonic() + seconds
        while len(found := self.all(address, kind)) < count:
            assert time.monotonic() < until, f"{len(found)} mails {kind} to {address}, not {count}"
            time.sleep(0.1)
        return found[-1]


def place():
    return INSTANCE.parent


def mailbox():
    return Mailbox(place() / "mail")


def addresses(mail):
    return [a.addr_spec for a in mail["to"].addresses]


def plain(mail):
    return mail.get_body(("plain",)).get_content().replace("\r\n", "\n")


def html(mail):
    return mail.get_body(("html",)).get_content().replace("\r\n", "\n")


def link(mail):
    """The one link of a mail"""
    found = re.findall(r"^https?://\S+$", plain(mail), re.M)
    assert len(found) == 1, plain(mail)
    return found[0]


def secret(mail):
    head, mark, token = link(mail).partition("#token=")
    assert mark and head, link(mail)
    return token


def invitation(address, count=1):
    """The token of the newest of so many invitations of an address"""
    return secret(mailbox().wait(address, "invitation", count))
