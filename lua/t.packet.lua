-- Which packets: what t.packets and t.packet have in common.
local types = require "t.types"

local packet = {}

packet.filter = { key = "filter", type = types.text, word = "FILTER", most = 1, doc = "Only the packets that pass it.", from = "pcap-filter(7)" }
packet.fields = {
  {
    "host", types.list(types.address), default = {},
    doc = "From or to one of these addresses.",
  },
  { "src", types.list(types.address), default = {}, doc = "From one of these addresses." },
  { "dst", types.list(types.address), default = {}, doc = "To one of these addresses." },
  { "port", types.list(types.port), default = {}, doc = "From or to one of these ports." },
  { "tcp", types.choice("rst"), doc = "Only TCP segments with this flag, of IPv4 and IPv6.", from = "RFC 9293" },
  { "interface", types.interface, default = "any", doc = "The network interface.", from = "packet(7)" },
}

return packet
