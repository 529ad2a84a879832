"""The demo communities 梧桐里社区 and 柳桥村: registers, people, thirteen topics as plays."""
