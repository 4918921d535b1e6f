-- Which side went quiet before a scoutfs server cut a client off?
--
-- Run it on the server, or on each node of the quorum, with the address and port of the server. They are in the kernel
-- log: journalctl -t kernel -g 'scoutfs.*server starting at'
--
--     tracer scoutfs 10.0.0.5 19700
--     tracer scoutfs 10.0.0.5 19700 role=client       on a client: ends when it loses its server, or unmounts
--     tracer scoutfs 10.0.0.5 19700 peers=yes         packets of all quorum members, not of this address alone
--     tracer scoutfs 10.0.0.5 19700 keep=16M          less memory
--     tracer scoutfs 10.0.0.5 19700 quiet=1m          more patience with a leader that sends no heartbeats
local ip, port, role, peers, keep, quiet = t.args {
  "ip:address", "port:port", "role:string=server", "peers:string=no", "keep:size=64M", "quiet:duration=3s",
}

-- A client that says farewell when it unmounts never waits for a reconnection, one that was cut off does: 0x20 is
-- reconn_wait. A client's own connection says nothing of the sort, so there its own unmount ends the capture too.
local ends = {
  server = t.event { name = "client lost", "scoutfs:scoutfs_conn_shutdown_complete", filter = "flags & 0x20" },
  client = t.event {
    name = "server lost", "scoutfs:scoutfs_conn_shutdown_start",
    filter = "listening_conn == 0 && peername_port == " .. port,
  },
}
if not ends[role] then
  error("role is server or client, not '" .. role .. "'", 0)
end
if peers ~= "yes" and peers ~= "no" then
  error("peers is yes or no, not '" .. peers .. "'", 0)
end

-- A leader sends a heartbeat each 100 ms to the other members of the quorum; one that is silent is replaced after ten
-- seconds and powered off five seconds later. It counts from the first heartbeat on, so only followers have it; that this
-- node leaves the quorum is a silence too.
local heartbeat = t.host.has "scoutfs:scoutfs_quorum_recv_message" and t.silence {
  name = "no heartbeat", over = quiet, t.event { "scoutfs:scoutfs_quorum_recv_message", filter = "type == 2" },
} or {}

local of_port = "sport == " .. port .. " || dport == " .. port

return {
  collect = {
    -- What happens a few times a second goes hours back.
    t.ftrace {
      name = "rare", keep = "8M",
      "scoutfs:scoutfs_conn_*", "scoutfs:scoutfs_quorum_*", "scoutfs:scoutfs_server_client_*",
      t.try {
        "scoutfs:scoutfs_server_work_*", "scoutfs:scoutfs_server_workqueue_destroy",
        "scoutfs:scoutfs_server_commit_start", "scoutfs:scoutfs_server_commit_end",
        "scoutfs:scoutfs_server_finalize_decision",
        "scoutfs:scoutfs_net_shutdown_work_*", "scoutfs:scoutfs_net_reconn_free_work_*",
        "scoutfs:scoutfs_net_connect_work_*", "scoutfs:scoutfs_net_listen_work_*",
        "scoutfs:scoutfs_trans_write_func", "scoutfs:scoutfs_sync_fs",
        "scoutfs:scoutfs_btree_read_error", "scoutfs:scoutfs_block_stale", "scoutfs:scoutfs_trigger_fired",
        "scoutfs:scoutfs_fill_super", "scoutfs:scoutfs_put_super", "scoutfs:scoutfs_kill_sb",
      },
      t.try {
        t.event { "tcp:tcp_retransmit_skb", "tcp:tcp_receive_reset", filter = of_port },
        "tcp:tcp_send_reset", -- its fields differ from kernel to kernel
      },
    },
    -- Every other event of the module: each message, lock and block. Minutes, or seconds under load.
    t.ftrace {
      name = "hot", keep = keep,
      "scoutfs:scoutfs_net_*_message",
      t.try {
        "scoutfs:scoutfs_net_[dp]*_work_*", "scoutfs:scoutfs_net_send_work_*", "scoutfs:scoutfs_net_recv_work_*",
        "scoutfs:scoutfs_server_commit_[!se]*", "scoutfs:scoutfs_server_finalize_items",
        "scoutfs:scoutfs_comp*", "scoutfs:scoutfs_c[!o]*", "scoutfs:scoutfs_quot*",
        "scoutfs:scoutfs_s[!e]*", "scoutfs:scoutfs_set*", "scoutfs:scoutfs_[!cnqs]*",
      },
    },

    t.packets { host = peers == "no" and ip or nil, port = port, keep = "64M" },

    t.files {
      name = "quorum", every = "1s",
      t.try {
        "/sys/fs/scoutfs/*/quorum/status", "/sys/fs/scoutfs/*/fence/*/elapsed_secs",
        "/sys/kernel/debug/scoutfs/*/connections",
      },
    },
    t.files {
      name = "load", every = "1s",
      "/proc/meminfo", "/proc/vmstat", "/proc/loadavg", "/proc/net/dev", "/proc/net/snmp", "/proc/net/netstat",
      t.try { "/proc/net/softnet_stat", "/proc/pressure/*" },
    },
    t.files {
      name = "both", at = "both",
      "/proc/interrupts", "/proc/diskstats",
      t.try { "/proc/slabinfo", "/sys/fs/scoutfs/*/counters/*" },
    },
    t.files {
      name = "state",
      "/proc/mounts", "/proc/cmdline", "/proc/version", "/proc/uptime", "/proc/locks",
      "/proc/net/tcp", "/proc/net/udp", "/proc/net/arp",
      t.try {
        "/proc/modules", "/proc/net/tcp6", "/proc/net/udp6",
        "/sys/module/scoutfs/srcversion", "/sys/module/scoutfs/notes/.note.git_describe",
        "/sys/fs/scoutfs/*/data_device_maj_min", "/sys/fs/scoutfs/*/format_version",
        "/sys/fs/scoutfs/*/fsid", "/sys/fs/scoutfs/*/rid",
        "/sys/fs/scoutfs/*/mount_options/*", "/sys/fs/scoutfs/*/volume_options/*",
        "/sys/fs/scoutfs/*/srch/*", "/sys/fs/scoutfs/*/quorum/*", "/sys/fs/scoutfs/*/fence/*/*",
        "/etc/scoutfs/scoutfs-fenced.conf", "/etc/os-release",
      },
    },
    -- The locks of a busy node are long lists.
    t.files {
      name = "locks", max = "8M",
      t.try {
        "/sys/kernel/debug/scoutfs/*/client_locks", "/sys/kernel/debug/scoutfs/*/server_locks",
        "/sys/kernel/debug/scoutfs/*/server_lock_stats", "/sys/kernel/debug/scoutfs/*/messages",
      },
    },

    t.log { "kernel" },
  },

  stop = {
    ends[role],
    heartbeat,
    -- The last chance, 20 seconds or more after a client went quiet: this host may be powered off next.
    t.line { name = "fencing", text = ", fencing" },
    t.line { name = "fencing a leader", text = "fencing previous leader" },
  },
  post = "200ms",
}
