-- How many events does a stop condition have?
return {
  collect = t.log "kernel",
  stop = { t.event { "sched:sched_switch", "sched:sched_wakeup" } },
}
--[==[error
fails-two-events.lua:4: t.event: a stop condition has one event, a list of conditions means any of them
]==]
