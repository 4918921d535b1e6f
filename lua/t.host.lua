-- The machine that the recipe is for.
local core = require "t.core"

return {
  kernel = core.kernel,
  cpus = core.cpus,
  has = function(event)
    if type(event) ~= "string" or not event:find("^[%w_]+:[%w_]+$") then
      core.fail("t.host.has takes an event like \"sched:sched_switch\"")
    end
    return core.has(event)
  end,
}
