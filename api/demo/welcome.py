"""What ``minyi demo`` prints at the end: what to open, and who can be logged in as whom."""

from api.demo.matter import WUTONGLI
from api.demo.stage import Stage

CAST = (
    ("居民", "何建军", "桐荫苑3幢2单元601,加装电梯提议人"),
    ("居民", "孙桂兰", "同单元101,不同意加装"),
    ("租户", "李想", "可以发言,没有业主表决权"),
    ("社区党委书记", "周文静", "party_secretary:受理、公告、签署采纳"),
    ("居委会负责人", "许国平", "committee_head:代表居委会签署"),
    ("社区工作人员", "陶颖", "clerk:准备方案、纪要、反馈公告"),
    ("监督委员会", "陈巧云", "supervisor:复核、见证计票"),
    ("计票人", "钱明远", "teller:计票签字"),
    ("网格员", "马立新", "grid_worker:代录、核实居民、上门送票"),
    ("监督委员会", "殷桂生", "supervisor:同行上门、会签(D5有一项等他会签)"),
    ("街道民政办", "林栋", "government:委托、逐条答复"),
    ("区督查", "顾宁", "inspector:查看过程记录"),
)
FIRST = (
    ("D1", "加装电梯:第一轮差在面积,第二轮通过;代填、上门各一票,同办人会签;正在实施"),
    ("D2", "充电棚:并案、户代表表决、延期、满意度"),
    ("D4", "垃圾分类亭:正在讨论"),
    ("D5", "物业费:正在表决,看不到任何中间结果"),
    ("D6", "助餐点:街道逾期后逐条答复"),
    ("D12", "柳桥村当家塘:四议两公开,举手计数、见证人会签,已归档"),
)


async def welcome(stage: Stage, base: str, wechat: str, seconds: float) -> str:
    community = await stage.places.node(WUTONGLI.code, WUTONGLI.code)
    village = await stage.places.node("liuqiao", "liuqiao")
    phones = stage.people.phones
    lines = [
        f"演示社区已就绪(用时 {seconds:.0f} 秒,{stage.steps} 步)。 The demo community is ready.",
        "",
        "先打开 / open first:",
        f"  梧桐里社区公开栏   {base}/c/{community}",
        f"  柳桥村公开栏       {base}/c/{village}",
        *(f"  {name:<4} {text}   {base}/t/{stage.notes[name]}" for name, text in FIRST),
        f"  接口合同 / contract {base}/openapi.json",
        "",
        "可以登录的人 / who can be logged in (openid demo-手机号):",
        *(f"  {name}  demo-{phones[name]}  {office}:{what}" for office, name, what in CAST),
        "",
        "登录 / log in:",
        f"  curl -s {wechat}/__fake__/login-code -H 'content-type: application/json' \\",
        f'       -d \'{{"openid":"demo-{phones["何建军"]}"}}\'',
        f"  curl -s {base}/v1/session/wechat -H 'content-type: application/json' \\",
        '       -d \'{"code":"上一步的 code"}\'',
        "  以职务办事时加请求头 Minyi-Role(取自 GET /v1/me 的 roles)。",
        "",
        "按 Ctrl-C 结束 / Ctrl-C to stop.",
    ]
    return "\n".join(lines)
