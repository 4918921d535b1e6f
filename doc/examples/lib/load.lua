-- How loaded the machine is, at a rate of the caller's choice.
return function(every)
  return t.files { name = "load", every = every, keep = "30m",
                   "/proc/loadavg", "/proc/meminfo", t.try "/proc/pressure/*" }
end
