-- Who writes to a disk in parts of a page, three times in a row?
local in_row = 0

local function is_torn(ev)
  in_row = ev.bytes % 4096 == 0 and 0 or in_row + 1
  return in_row == 3
end

return {
  collect = {
    t.ftrace { name = "disk", keep = "16M", "block:block_rq_issue", "block:block_rq_complete" },
    t.files { "/proc/partitions", "/proc/{pid}/status", "/proc/{pid}/cmdline" },
  },
  stop = t.event { name = "torn", "block:block_rq_issue", filter = 'rwbs ~ "*W*"', test = is_torn },
}
