"""Who has an account: the table of log-ins, as far as it is looked at here."""

from sqlalchemy import String, Uuid, column, table

ACCOUNTS = table(
    "wechat_account", column("app_id", String), column("openid", String), column("person_id", Uuid)
)
