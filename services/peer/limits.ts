/**
 * Every bound, with its reason. A queue, loop, buffer or retry whose bound is not here does not exist.
 * What an operator may change is in config.ts instead.
 */
export const LIMITS = {
  /** Widest label: 2^10 corners are far more than one roster serves, and hop counts stay at most 10. */
  MAX_DIMENSION: 10,
  /** Slots of a cluster; the config's power of two must not exceed it (Redis Cluster's number). */
  MAX_SLOTS: 16_384,
  /** Replicas of a slot. */
  REPLICAS: 3,
  /** Replicas of the roster: it survives the loss of two of them at once. */
  ROSTER_REPLICAS: 5,
  /** Characters of a uid or cluster id; a UUID has 36. */
  MAX_UID_LENGTH: 64,
  /** Characters of who changed the roster, and of why: every peer keeps them. */
  MAX_NOTE_LENGTH: 200,
  /** Characters of the address of a peer that joins: https://, a DNS name of 253 and a port. */
  MAX_ADDRESS_LENGTH: 267,
  /** First and longest pause between two rounds of questions before founding. */
  FOUNDING_RETRY_MIN_MS: 25,
  FOUNDING_RETRY_MAX_MS: 1_000,

  /** UTF-8 bytes of a topic's name (DESIGN 10). */
  MAX_TOPIC_NAME_BYTES: 255,
  /** Bytes of an Idempotency-Key: as much as a header line carries without trouble. */
  MAX_IDEMPOTENCY_KEY_BYTES: 255,
  /** CloudEvents attributes of one event, and the bytes of one name and value: they live in headers. */
  MAX_ATTRIBUTES: 32,
  MAX_ATTRIBUTE_NAME_BYTES: 64,
  MAX_ATTRIBUTE_VALUE_BYTES: 1_024,
  /** Media types whose kind is remembered: far more than publishers use, and one of 255 characters each at most. */
  MAX_KNOWN_MEDIA_TYPES: 1_024,
  /** Levels of objects and lists in a body of CloudEvents: more than any reader of them takes. */
  MAX_JSON_LEVELS: 1_000,
  /** Events of one batch. */
  MAX_BATCH_EVENTS: 10_000,
  /** Topics of one slot: all rows of a slot are in memory and in its snapshot's last chunk. */
  MAX_TOPICS_PER_SLOT: 16_384,
  /** Topics and patterns of one stream: a line of its request, and what each event of a slot is matched against. */
  MAX_WANTS: 1_000,
  /** Runs looked at by one reading of a slot, wanted or not: keeps its turn short, and the next reading goes on there. */
  SLOT_READ_RUNS: 2_048,
  /** Runs looked at backwards for the last events of a slot, wanted or not; when they are too few, so are the events. */
  SLOT_LAST_RUNS: 20_000,
  /** Of those, runs looked at in one turn of the event loop. */
  SLOT_LAST_RUNS_PER_TURN: 1_024,
  /** Topics wanted by name that are each looked up where runs of others lie between: beyond it that costs more than it saves. */
  SLOT_SEEK_TOPICS: 8,
  /** Events from which a stream over several topics can begin, counted from the end. */
  MAX_LAST_EVENTS: 10_000,
  /** Idempotency keys remembered per slot; when they are full, keyed publishes are refused (never forgotten early). */
  MAX_KEYS_PER_SLOT: 32_768,
  /** Least age of a forgotten key (P3). */
  KEY_WINDOW_MS: 5 * 60_000,
  /** Producers remembered per slot: more than there can be peers. */
  MAX_PRODUCERS_PER_SLOT: 2_048,
  /** Unanswered requests of one producer in one slot. */
  MAX_PRODUCER_INFLIGHT: 4_096,

  /** One append message's entry data: keeps a follower's turn short. */
  MAX_APPEND_BYTES: 1_048_576,
  /** Appends under way to one follower before its answer is awaited. */
  MAX_INFLIGHT_APPENDS: 64,
  /** Log tail kept in memory per slot, for followers that are nearly level. */
  MAX_CACHED_LOG_BYTES: 2_097_152,
  /** Linearizable reads of one slot that wait for their round; far above what one turn brings. */
  MAX_PENDING_READS: 16_384,
  /** Proposed and not yet committed per slot; beyond it publishes are refused with 503. */
  MAX_UNCOMMITTED_BYTES: 33_554_432,
  /** Entries kept behind the applied one, so that a peer that was away briefly needs no snapshot. */
  KEEP_LOG_ENTRIES: 10_000,
  /** Compaction runs when this many entries beyond the kept ones have gathered. */
  COMPACT_EVERY_ENTRIES: 1_000,
  /** Attempts to take a data folder whose lock is stale: more than processes that race for it. */
  LOCK_ATTEMPTS: 5,
  /** Records deleted in one slice of a sweep. */
  SWEEP_SLICE: 500,
  /** Between two slices of a sweep that is not done: others get their turns. */
  SWEEP_PAUSE_MS: 10,
  /** Retention commands for one topic in one round: with their slices' size, what a busy topic gives up in a second. */
  MAX_TRIMS_PER_ROUND: 50,
  /** Runs one retention command may cover: keeps its application short. */
  TRIM_SLICE_RUNS: 1_000,
  /** Topics of one slot whose retention is looked at in one round. */
  TRIM_TOPICS_PER_ROUND: 256,
  /** Bytes of one chunk of a snapshot. */
  SNAPSHOT_CHUNK_BYTES: 1_048_576,
  /** Snapshots pulled at once by one peer. */
  MAX_SNAPSHOT_PULLS: 2,
  /** Slots that one primary moves at once: what they need must leave the publishers their share of disk and network. */
  MAX_MOVING_SLOTS: 4,
  /** A learner so close behind is made a voter: it is level before anybody would notice that it was not. */
  LEVEL_WITHIN_ENTRIES: 64,
  /** Questions for slots' members under way at once, of one survey. */
  SURVEYS_AT_ONCE: 8,
  /** Between two looks at whether the slots have settled. */
  SETTLE_LOOK_MS: 250,
  /** Between two looks at peers that leave or are dead for good, and how long what follows may take. */
  DEPARTURE_LOOK_MS: 1_000,
  DEPARTURE_PATIENCE_MS: 10_000,
  /** How long a peer is looked for at whose address another store answers, before its own is taken for lost. */
  REPLACE_PATIENCE_MS: 1_000,
  /** Longest pause between two looks at a dead peer that cannot be evicted yet. */
  EVICTION_PAUSE_MAX_MS: 30_000,
  /** Between two looks at whether the store is damaged, and the first pause between two looks at whether it may go. */
  REPAIR_LOOK_MS: 1_000,
  /** Longest of these pauses: asking costs every slot a question, falling silent the slots led here a handover. */
  REPAIR_PAUSE_MAX_MS: 60_000,
  /** Longest silence of a peer before it is replaced or goes on with what it has: publishes wait longer by default. */
  REPAIR_SILENCE_MS: 6_000,
  /** How long it stays silent when the roster's log took its replacement and does not say what became of it. */
  REPAIR_OUTCOME_MS: 30_000,
  /** How long the other peers are asked for one whose store cannot be opened: they may be starting, too. */
  REPAIR_ASK_MS: 30_000,
  /** Terms, roster versions and member numbers passed over by a recovery: more than the lost can have given out unseen. */
  RECOVERY_SKIP: 1_000,
  /** Slots told to go on in one request of a recovery: their commits share a few transactions. */
  RECOVERY_BATCH_SLOTS: 256,
  /** Terms told of a log's uncommitted tail: each is an election that nothing was committed after. */
  RECOVERY_TERMS: 1_000,
  /** How long a primary has to be confirmed by its quorum when it is asked whether its slot needs recovery. */
  RECOVERY_CONFIRM_MS: 2_000,
  /** How long one step of a recovery may take at one peer. */
  RECOVERY_STEP_MS: 15_000,
  /** Rounds of questions when the peers that are left go by different rosters: the first brings the newest. */
  RECOVERY_ROUNDS: 3,
  /** Characters of who asks for a recovery: with the address they fit into a note. */
  MAX_RECOVERED_BY_LENGTH: 100,
  /** Attempts after which a new peer's address that nobody reaches is a mistake and no accident. */
  JOIN_ADDRESS_ATTEMPTS: 4,
  /** Pauses between two attempts to join a cluster. */
  JOIN_RETRY_MIN_MS: 250,
  JOIN_RETRY_MAX_MS: 5_000,
  /** Time the cluster has for one attempt; it waits for slots on the move meanwhile. */
  JOIN_TIMEOUT_MS: 30_000,
  /** What is left of it for the way back of the answer. */
  JOIN_MARGIN_MS: 2_000,
  /** Requests waiting at one peer for a slot's primary to appear. */
  MAX_WAITING_APPENDS: 10_000,
  /** Raft messages of one frame on a lane, or of one POST /v1/replicate. */
  MAX_MESSAGES_PER_BATCH: 4_096,
  /** Body of a request between peers: the largest batch of events and its envelope. */
  MAX_PEER_BODY_BYTES: 67_108_864,
  /** Messages queued for a peer whose link is busy; the oldest are dropped (Raft sends again). */
  MAX_LINK_QUEUE_BYTES: 67_108_864,
  /** Frames under way on one link that the other side has not said to have taken in. */
  MAX_LINK_INFLIGHT: 32,
  /** Answers that wait to be taken on a lane; beyond them the other side is taken for gone. */
  MAX_LANE_ANSWER_BYTES: 4_194_304,
  /** Operations forwarded together on one edge. */
  MAX_FORWARDED_PER_BATCH: 1_024,
  /** Requests with forwarded operations under way to one peer: a slot without a primary may hold some for seconds. */
  MAX_EDGE_REQUESTS: 256,
  /** Bytes after which a batch of messages or operations is cut and another begun. */
  CUT_BATCH_BYTES: 16_777_216,
  /** Connections between peers that carry nothing for so long are closed. */
  LINK_IDLE_MS: 60_000,
  /** Time for one chunk of a snapshot to arrive. */
  SNAPSHOT_CHUNK_TIMEOUT_MS: 30_000,
  /**
   * The answer to a batch of messages, or a frame on a lane, waits so much of the time after which the link is given up for
   * what it causes here: a slow disk must not look like a batch that did not arrive.
   */
  PIGGYBACK_WAIT_SHARE: 0.25,
  /** Answers to batches of one peer in the making at once; those on lanes do not count. */
  MAX_PARKED_ANSWERS: 128,
  /** A forwarded request whose answer takes longer than this is told to have arrived. */
  ACCEPT_AFTER_MS: 25,
  /** How long after its patience a forwarded operation is still waited for: the other side answers when it is over. */
  ANSWER_GRACE_MS: 250,
  /** Bytes read of the body of another peer's error. */
  MAX_PEER_ERROR_BYTES: 2_048,
  /** A dialled connection must stay open this long: that of a process about to end is reset at once. */
  DIAL_SETTLE_MS: 20,
  /** Dials that end in a reset before the result is taken as it is. */
  MAX_DIALS: 5,
  /** Operations under way from one peer to others. */
  MAX_FORWARDS_INFLIGHT: 16_384,
  /** A peer that took no request for the time it had is passed by for this long, unless it is heard before. */
  SILENT_PENALTY_MS: 2_000,
  /** Part of the time left that each hop keeps for the way back, and the least and most it keeps. */
  HOP_MARGIN_SHARE: 0.05,
  MIN_HOP_MARGIN_MS: 5,
  MAX_HOP_MARGIN_MS: 250,
  /** First and longest pause between two attempts of a forwarded request. */
  RETRY_MIN_MS: 10,
  RETRY_MAX_MS: 250,
  /** Requests for one slot that retry at that pace; when more wait for its primary, all retry so much less often. */
  RETRYING_PER_SLOT: 8,
  /** Skew of a primary's clock from its voters' median beyond which it hands over (DESIGN 5). */
  MAX_CLOCK_SKEW_MS: 5_000,

  /** Longest pause between two attempts to give a slot back to a home that does not take it; each may cost a second. */
  MAX_RECLAIM_PAUSE_MS: 20_000,

  /**
   * Bytes of one request's line and headers together; Node answers 431 above it. 1,000 topics of 60 characters fit in
   * the line of GET /v1/events, beside a Last-Event-ID that has a place in each of 1,024 slots.
   */
  MAX_HEADER_BYTES: 131_072,
  /** Frames of recent events kept per followed topic for subscribers that are nearly level. */
  MAX_RING_BYTES: 4_194_304,
  MAX_RING_EVENTS: 10_000,
  /** Bytes waiting in one subscriber's socket before it is served from the log. */
  MAX_SUBSCRIBER_BUFFER_BYTES: 1_048_576,
  /**
   * Slots of one stream: a pattern needs all of them, each event carries a place in each of them, and a browser sends them
   * all back as Last-Event-ID.
   */
  MAX_STREAM_SLOTS: 1_024,
  /** The same per selection of several topics, only to bridge the time that a read of the log takes. */
  MAX_CHANNEL_RING_EVENTS: 4_096,
  MAX_CHANNEL_RING_BYTES: 2_097_152,
  /** Ends of topics remembered per selection, and per stream that reads the log past them. */
  MAX_KNOWN_ENDS: 1_000,
  /** Lives of topics remembered per selection, of which a read of the log past a break says whether they are over. */
  MAX_SHOWN_LIVES: 2_000,
  /** Topics whose last offset is remembered for a stream that reads the log, to say where a gap in them begins. */
  MAX_KNOWN_OFFSETS: 1_000,
  /** Reads of slots under way for streams over several topics, of each slot those that failed before, and how long each may take. */
  MAX_SLOT_READS: 16,
  MAX_SLOT_RETRIES: 2,
  SLOT_READ_PATIENCE_MS: 1_000,
  /** Linearizable questions of one slot under way for such streams, and how long none is asked when nobody answered one. */
  MAX_FRESH_PLACES: 8,
  LEADERLESS_MS: 2_000,
  /** How long what such a question told of how far a slot has got answers others: many streams resume at once. */
  REACHED_MS: 2_000,
  /** Events read from the log at a time for one subscriber that is behind. */
  REPLAY_EVENTS: 500,
  REPLAY_BYTES: 524_288,
  /** Streams of one peer. */
  MAX_STREAMS: 20_000,
  /** Frames that leave in one write to a subscriber that is nearly level: a full buffer takes a few of them. */
  LIVE_CHUNK_BYTES: 262_144,
  /** Reads of the log under way for subscribers that are behind; those at the same offset share one. */
  MAX_REPLAY_READS: 4,
  /** Framed history kept for others that come by it, in all; and how long when nobody does. */
  MAX_BLOCK_BYTES: 16_777_216,
  BLOCK_IDLE_MS: 2_000,
  /** Wait of a new stream for its topic's primary; then it opens and goes on waiting as an open stream. */
  STREAM_PATIENCE_MS: 2_000,
  /** Shortest time between two flushes to a subscriber under load. */
  STREAM_FLUSH_MS: 2,
  /** Streams opened in one turn of the event loop: each may cost a read of the log. */
  OPENINGS_PER_TURN: 4,
  /**
   * Longest slice of a flush before others have their turn: a write to a socket takes some microseconds, and what the
   * replicas have to do for the next event should begin meanwhile.
   */
  FLUSH_SLICE_MS: 1,
  /** First and longest pause between two looks for the topic of a stream that waits. */
  STREAM_RETRY_MIN_MS: 100,
  STREAM_RETRY_MAX_MS: 1_000,
  /** Marks down a trunk to another peer, and its patience with silence: five of them. */
  FOLLOW_MARK_MS: 500,
  FOLLOW_SILENCE_MS: 2_500,
  /** Marks of a replica without a primary before another parent is tried, two seconds; for each peer in between as many more. */
  MAX_LEADERLESS_MARKS: 4,
  /** How long a parent in the relay tree has to cover a slot's wants before the next one is tried. */
  PARENT_PATIENCE_MS: 2_000,
  /** Between two looks whether a slot can come from a better parent than it does, on average: half as much more or less. */
  TRUNK_RETURN_MS: 5_000,
  /** A trunk that carries no slot is kept so long: whoever went may come again. */
  TRUNK_IDLE_MS: 5_000,
  /** Bytes waiting in a trunk's socket from which on live events are left out, for the lower end to read them from the log. */
  MAX_TRUNK_BUFFER_BYTES: 8_388_608,
  /** Wants that one cover down a trunk says, so that its frame stays small. */
  MAX_COVER_WANTS: 4_096,
  /** Wants of one trunk: those of a peer full of streams over many topics. */
  MAX_TRUNK_WANTS: 262_144,
  /** Topics of one slot of which is remembered who gets their events. */
  MAX_AUDIENCES: 4_096,
  /** Wait for sockets to take the last bytes when a peer stops. */
  STREAM_CLOSE_MS: 1_000,
  /** Peers asked at once who listens to a topic, and how long each has to answer. */
  LISTENERS_AT_ONCE: 64,
  LISTENERS_PATIENCE_MS: 1_000,
  /** Such countings under way at one peer: each asks every peer of the cluster. */
  MAX_LISTENER_COUNTS: 32,
  /** Looks at the connections of streams in the time after which one that makes no progress is closed. */
  LOOKS_PER_STALL: 4,
  /** Connections looked at in one turn, and bytes of the kernel's table of connections: about a hundred rows. */
  WATCHED_PER_TURN: 1_000,
  SOCKET_TABLE_SLICE_BYTES: 16_384,
  /** Bytes read of one such table: 400,000 connections of the whole machine; those behind are not looked at. */
  MAX_SOCKET_TABLE_BYTES: 67_108_864,
  /** Items of one page of a list. */
  MAX_PAGE: 1_000,
  /** Payload bytes of one page of events: a page ends with the event that goes beyond. */
  MAX_PAGE_BYTES: 8_388_608,

  /** Bytes of log lines that wait for a slow disk; beyond them lines are dropped and counted. */
  MAX_LOG_BUFFER_BYTES: 8_388_608,
  /** Time between two attempts to open a log file that could not be written. */
  LOG_REOPEN_MS: 10_000,
  /** Topics named in the log's per-minute summary; the rest are summed up. */
  MAX_SUMMARY_TOPICS: 200,
  /** Time a peer has to stop in order before its process ends anyway. */
  STOP_TIMEOUT_MS: 10_000,
  /** Of that, time for requests that were under way and have no answer yet. */
  STOP_PATIENCE_MS: 5_000,
  /** Peers of a cube started on one machine. */
  MAX_LOCAL_PEERS: 16,
  /** Bytes kept of what a started peer says on stderr, to tell why it ended. */
  MAX_STDERR_BYTES: 16_384,

  /** Characters of a client's text that an error's detail repeats. */
  MAX_QUOTED_CHARACTERS: 80,
  /** Characters of a stored media type: header lines of this length pass every proxy. */
  MAX_CONTENT_TYPE_CHARACTERS: 255,
  /** Streams of GET /v1/cube/events at one peer: operators' pages, not applications. */
  MAX_CUBE_STREAMS: 256,
  /** Median delay of an event-loop turn beyond which clients are turned away; peers never are. */
  MAX_LOOP_DELAY_MS: 500,
  /** Least time and turns that are judged together. */
  LOOP_WINDOW_MS: 1_000,
  MIN_LOOP_TURNS: 3,
  /** Time a connection that sent garbage has to take its answer. */
  LINGER_MS: 1_000,
  /** Bytes of history gathered into one write of GET …/events as application/x-ndjson. */
  HISTORY_CHUNK_BYTES: 65_536,

  /** Time a peer has to take a connection of a command, and to begin its answer: as long as a publish may wait by default. */
  COMMAND_CONNECT_MS: 5_000,
  COMMAND_ATTEMPT_MS: 10_000,
  /** Time for all attempts of one batch: far below the age at which its key may be forgotten. */
  COMMAND_PATIENCE_MS: 60_000,
  /** Pause before the next peer of a command's list is tried, and first and longest pause when all of them have failed. */
  COMMAND_NEXT_PEER_MS: 50,
  COMMAND_RETRY_MIN_MS: 200,
  COMMAND_RETRY_MAX_MS: 5_000,
  /** Lines of stdin in one batch unless --batch says more or fewer, its bytes as they are sent, and how long the first of them waits. */
  PUB_BATCH_EVENTS: 1_000,
  PUB_BATCH_BYTES: 1_048_576,
  PUB_WAIT_MS: 25,
  /** Bytes of one line of stdin: no peer can be set to take a larger batch. */
  PUB_LINE_BYTES: 33_554_432,
  /** Between two tellings of how far a long input has been published: on a terminal, and in lines of their own. */
  PUB_PROGRESS_MS: 1_000,
  PUB_PROGRESS_LINE_MS: 5_000,
  /** Silence after which a stream counts as dead: three of the peers' heartbeats. */
  SUB_SILENCE_MS: 45_000,
  /** Characters of one frame of a stream: the largest payload in base64, and room to spare. */
  SUB_FRAME_CHARACTERS: 67_108_864,
  /** How long a write to a slow reader is still waited for when a command is to end. */
  OUTPUT_GRACE_MS: 250,
  /** Shortest time between two writes of a cursor file. */
  CURSOR_WRITE_MS: 1_000,
} as const
