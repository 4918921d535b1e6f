-- Which requests made a disk slow, and did the disk report an error?
--
--   tracer slow-disk.lua [limit=10s] [keep=128M]
--
-- Stops at a request that has not ended after LIMIT, at one that ends in an error, or when the kernel's log tells of a
-- disk that is slow or gone.
local limit, keep = t.args { "limit:duration=10s", "keep:size=128M" }

-- A line that begins with the driver of a disk; "timeout" alone is in many others.
local driver = [[^(ata\d|sd |sr |scsi |nvme |mmc\d|md/|device-mapper|mpt\dsas|megaraid_sas|hv_storvsc)]]
local trouble = "(timeout(?! set)|timed out|timing out|resetting|will reset|slow to respond|task abort|offlin|"
  .. "failing path|disk failure)"

return {
  collect = {
    t.ftrace {
      name = "block", keep = keep,
      "block:block_rq_insert", "block:block_rq_issue", "block:block_rq_complete", "block:block_rq_requeue",
      t.try { "block:block_rq_error", "block:block_io_start", "block:block_io_done" },
    },
    t.ftrace {
      name = "drivers", keep = "4M",
      t.try { "scsi:scsi_dispatch_cmd_timeout", "scsi:scsi_dispatch_cmd_error", "scsi:scsi_eh_wakeup", "nvme:nvme_*" },
      "writeback:writeback_start", "writeback:writeback_written",
    },
    t.files { every = "1s", "/proc/diskstats", "/proc/meminfo", t.try "/proc/pressure/io" },
    t.files { at = "both", "/proc/mounts", "/proc/partitions", t.try { "/sys/block/*/queue/scheduler", "/sys/block/*/stat" } },
    t.log { "kernel", keep = "8M" },
  },
  stop = {
    t.expect {
      name = "request hangs",
      on = t.event { "block:block_rq_issue", filter = "nr_sector > 0" }, -- a flush has no sector
      need = t.event "block:block_rq_complete", key = { "dev", "sector" },
      within = limit,
    },
    t.event {
      name = "request failed", "block:block_rq_complete",
      -- "N" is a command and no transfer: an empty CD drive fails them whenever somebody looks into it. -95 is
      -- EOPNOTSUPP: what the disk cannot do is done in another way.
      filter = 'error != 0 && error != -95 && rwbs != "N"',
    },
    t.line { name = "disk error", text = "I/O error" },
    t.line { name = "disk timeout", regex = "(?i)" .. driver .. ".*" .. trouble },
  },
  post = "500ms",
}
