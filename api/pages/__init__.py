"""The public pages: server-rendered, for a phone, without a script. They show what the public
routes show to a visitor, and nothing else; and the sheet of a grid, to be printed by its worker."""
