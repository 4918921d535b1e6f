-- Which programs started before memory ran out?
local load = require "lib.load"

return {
  collect = {
    load("2s"),
    t.ftrace {
      name = "starts", keep = "2M",
      "sched:sched_process_exec",
      t.try { t.event { "uprobe:/bin/bash:main", fetch = "argc=%di:s32" } }, -- %di: of x86
    },
  },
  stop = {
    t.event { name = "victim", "oom:mark_victim" },
    t.line { name = "oom", regex = "(?i)out of memory|oom-kill" },
  },
  max_time = "12h",
}
