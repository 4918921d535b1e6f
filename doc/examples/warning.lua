-- What ran before the kernel's log complained?
return {
  collect = {
    t.ftrace { "sched:sched_switch", keep = "8M" },
    t.log "kernel",
  },
  stop = { t.line { text = "WARNING:" } },
}
