"""Mails that the instance has written as files, and the secrets of the links in them."""
import email
import email.policy
import re

from lib_pool import home, wait_until


class Mailbox:
    def __init__(self, instance):
        self.dir = home(instance) / "mail"

    def to(self, address):
        """All mails to an address, oldest first"""
        found = []
        for path in sorted(self.dir.glob("*.eml"), key=lambda p: p.stat().st_mtime_ns):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if address in str(mail["to"]):
                found.append(mail)
        return found

    def wait(self, address, count=1):
        """The newest, when so many have come"""
        return wait_until(lambda: len(self.to(address)) >= count and self.to(address)[-1], 20)

    def token(self, address, count=1):
        text = self.wait(address, count).get_body(("plain",)).get_content()
        (token,) = re.findall(r"#token=([A-Za-z0-9_-]{40,})", text)
        return token
