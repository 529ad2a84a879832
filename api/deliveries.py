"""Wires what leaves the house: the channels as the settings say, the words, and the ledger."""

from api.notice_words import write
from api.settings import Settings
from consultation.database import Clock, Database
from consultation.polls.commands.serving import record_proofs
from notifications.channels import Port
from notifications.channels.sms import FileSms, HttpSms, SmsOff
from notifications.channels.wechat import WechatMessages
from notifications.policy import Channel
from notifications.sender import Sender
from notifications.wechat.client import Wechat
from notifications.wechat.subscribe import send_subscription


def build_sender(settings: Settings, db: Database, wechat: Wechat, sms: Port) -> Sender:
    return Sender(
        db,
        {Channel.WECHAT: WechatMessages(db, wechat, send_subscription), Channel.SMS: sms},
        write=write,
        prove=record_proofs,
        pages=settings.wechat_pages,
        poll_seconds=settings.worker_poll_seconds,
    )


def sms(settings: Settings, clock: Clock) -> Port:
    match settings.sms_provider:
        case "http":
            return HttpSms(
                settings.sms_url,
                key=settings.sms_key,
                secret=settings.sms_secret.get_secret_value(),
                signature=settings.sms_signature,
                templates=settings.sms_templates,
                clock=clock,
            )
        case "file":
            return FileSms(settings.sms_file, clock=clock)
        case _:
            return SmsOff()
