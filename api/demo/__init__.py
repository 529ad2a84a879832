"""The demo community 梧桐里社区 and 柳桥村: registers, people, and twelve topics that are played."""
