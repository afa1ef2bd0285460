// Generated from openapi.yaml by `npm run openapi`. Do not edit.

export interface paths {
    "/v1/cube": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The topology as this peer sees it */
        get: operations["getCube"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/cube/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What happens to the cube, live */
        get: operations["readCubeEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/topics/{topic}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Subscribe to a topic, or read its events
         * @description text/event-stream, also for `Accept: *\/*`: history from where it is asked, then live, on and on. application/json: one page. application/x-ndjson: the history as one stream. Last-Event-ID beats lastEventId, which beats from.
         */
        get: operations["readEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The process runs */
        get: operations["getLiveness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The peer serves
         * @description It knows the roster, and every slot it holds has a primary.
         */
        get: operations["getReadiness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Figures for Prometheus */
        get: operations["getMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.yaml": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This document */
        get: operations["getContract"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/peers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The peers of the roster */
        get: operations["listPeers"];
        put?: never;
        /**
         * Take a store in as a peer
         * @description What `hypercast peer --join` asks. The new peer must answer at its URL already. It gets the label it asks for, or the lowest free one; a full cube grows by one dimension. Slots that are on the move are waited for. The same store again gets the same answer; a store that answers in a listed peer’s place replaces it.
         */
        post: operations["joinPeer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/peers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One peer */
        get: operations["getPeer"];
        put?: never;
        post?: never;
        /**
         * Let a peer leave, or evict a dead one
         * @description It is marked as leaving: its slots move to other peers, and then it goes off the list by itself; `GET /v1/peers?progress=true` says how many slots and bytes are still to move. The same again is 202 until then.
         */
        delete: operations["removePeer"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/topics/{topic}/publish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Publish one event, or a batch of CloudEvents
         * @description The body is the event, as it is, of any content type; curl’s default form type, or none, counts as text. CloudEvents 1.0 come in binary mode (the attributes in `ce-*` headers), structured mode (`application/cloudevents+json`) and as a batch (`application/cloudevents-batch+json`, all or nothing, answered as …/batch is). Without an Idempotency-Key the source and id of the events are one. Answered when a majority of the replicas has it on disk.
         */
        post: operations["publishEvent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/topics/{topic}/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Publish many events, all or nothing
         * @description At most 10000 events. A string as `data` is text, anything else JSON, `data_base64` binary. An error names its line, or its item in a list of CloudEvents.
         */
        post: operations["publishBatch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/recover": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rebuild slots that lost their majority for good
         * @description What `hypercast recover` asks, at any peer that is left. **It gives up what only the lost peers had, acknowledged or not.** Without `force` it only says what would be done. Every peer that is named must be out of reach, and every other one must answer. Slots that have a majority are left alone. When it stopped on its way, the same is asked again, also at another peer.
         */
        post: operations["recoverSlots"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/replicate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A batch of Raft messages, or a lane for them
         * @description Answered when what they caused is durable, with the answers to them. Peers open a lane with it instead: with `Upgrade: hypercast-lane` the connection carries frames of messages one way and of answers the other from then on.
         */
        post: operations["replicate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/heartbeat": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The one heartbeat exchange of a pair of peers */
        post: operations["heartbeat"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Subscribe to several topics on one connection
         * @description One stream over topics and patterns with one cursor; always CloudEvents. Last-Event-ID beats lastEventId, which beats from. At most 1000 topics, and at most 131072 bytes of request line and headers together, which is room for 1000 names of 60 characters.
         */
        get: operations["readSeveral"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/topics/{topic}/subscribers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Count who listens to a topic
         * @description Open streams of clients to which the topic’s events go, on all peers of the cube, counted anew by each of them. Peers that do not answer within a second are named in `silent`, and their streams are not in `total`. A client whose machine vanished counts until its silence is noticed, up to the stall timeout later. UNKNOWN_TOPIC when no stream was found and the topic’s primary says that there is no such topic; when it cannot say, the answer is a count of 0.
         */
        get: operations["countSubscribers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/topics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List topics by name
         * @description Ascending by UTF-16 code unit, merged from all slots; each as its replica knows it.
         */
        get: operations["listTopics"];
        put?: never;
        /**
         * Create a topic
         * @description The same again is 200. What the body does not name is this peer’s default.
         */
        post: operations["createTopic"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/topics/{topic}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Describe a topic
         * @description Linearizable: as its primary knows it now.
         */
        get: operations["getTopic"];
        /**
         * Create a topic by its path
         * @description Works without a body. The same again is 200; settings that differ are 409.
         */
        put: operations["putTopic"];
        post?: never;
        /**
         * Delete a topic and its events
         * @description Streams of it receive `event: end`. The name may be created again; that is another topic.
         */
        delete: operations["deleteTopic"];
        options?: never;
        head?: never;
        /**
         * Change a topic’s settings
         * @description What the body does not name stays; null lifts a limit.
         */
        patch: operations["changeTopic"];
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A peer and where it is reached. */
        PeerRef: {
            /**
             * @description The binary label of a corner.
             * @example 110
             */
            id: string;
            /**
             * @description Base URL of the peer.
             * @example http://127.0.0.1:5561
             */
            url: string;
        };
        /** @description How long a topic keeps its events. What passes a limit leaves, the oldest first. */
        TopicSettings: {
            /** @description Age in milliseconds at which events leave; null is never. */
            maxAgeMs: number | null;
            /** @description Number of events kept; null is all. */
            maxEvents: number | null;
            /** @description Payload bytes kept; null is all. */
            maxBytes: number | null;
        };
        /** @description A topic, where it lives and what it holds. */
        Topic: {
            /** @example sports */
            name: string;
            /** @description The hash slot the topic belongs to. */
            slot: number;
            /**
             * @description The binary label of a corner.
             * @example 110
             */
            home: string;
            /** @description The peer that orders its events now; null while none is known. */
            primary: components["schemas"]["PeerRef"] | null;
            /** @description The peers that hold it, the home first. */
            replicas: components["schemas"]["PeerRef"][];
            /** @description First offset still kept; latest + 1 when none is. */
            earliest: number;
            /** @description Last offset; 0 when none was ever published. */
            latest: number;
            /** @description Payload bytes kept. */
            bytes: number;
            /** @description Which life of this name this is. */
            incarnation: number;
            /**
             * Format: date-time
             * @description When it was created.
             */
            created: string;
            settings: components["schemas"]["TopicSettings"];
        };
        /** @description A page of topics by name. */
        TopicList: {
            topics: components["schemas"]["Topic"][];
            /** @description Give it as `after` for the next page; null on the last one. */
            next: string | null;
        };
        /** @description Who listens to a topic now. */
        Subscribers: {
            /** @example sports */
            topic: string;
            /** @description Streams at all peers that answered. */
            total: number;
            /** @description Every peer that answered, by label, also those that serve none. */
            peers: {
                /**
                 * @description The binary label of a corner.
                 * @example 110
                 */
                id: string;
                /**
                 * @description Base URL of the peer.
                 * @example http://127.0.0.1:5561
                 */
                url: string;
                /** @description Open streams of clients there. */
                subscribers: number;
            }[];
            /** @description Peers that did not answer in time. */
            silent: string[];
        };
        /** @description An event that is kept. */
        Published: {
            /** @example sports */
            topic: string;
            /**
             * Format: date-time
             * @description The stamp of the primary.
             */
            time: string;
            /** @description The peer that ordered it: publish there to save a hop. */
            primary: components["schemas"]["PeerRef"] | null;
            /** @description Replicas that hold it on disk; at least a majority. */
            replicas: number;
            /** @description The place of the event in its topic. */
            offset: number;
            /** @description The publisher’s id of the event, or its cursor. */
            id: string;
            /**
             * @description Resumes a stream behind this event.
             * @example 42-1
             */
            cursor: string;
        };
        /** @description A batch that is kept, all of it. */
        BatchPublished: {
            /** @example sports */
            topic: string;
            /**
             * Format: date-time
             * @description The stamp of the primary.
             */
            time: string;
            /** @description The peer that ordered it: publish there to save a hop. */
            primary: components["schemas"]["PeerRef"] | null;
            /** @description Replicas that hold it on disk; at least a majority. */
            replicas: number;
            /** @description Offset of the first event. */
            first: number;
            /** @description Offset of the last event. */
            last: number;
            count: number;
            /**
             * @description Resumes a stream behind the last event.
             * @example 42-1
             */
            cursor: string;
        };
        /** @description A CloudEvents 1.0 event in the JSON format. Other members are extension attributes: lower-case letters and digits as names, strings, booleans and integers of 32 bits as values. An attribute that is null is not there. */
        CloudEvent: {
            /** @constant */
            specversion: "1.0";
            /** @description With the source, unique for each event. */
            id: string;
            /**
             * Format: uri-reference
             * @example /stadium/1
             */
            source: string;
            /**
             * @description Its name in SSE with `named=true`; open, error, message, gap, end and cloudevent are reserved.
             * @example org.example.goal
             */
            type: string;
            subject?: string | null;
            time?: string | null;
            datacontenttype?: string | null;
            dataschema?: string | null;
            /** @description Any JSON; a string where the media type is not JSON. */
            data?: unknown;
            /** @description Bytes in base64, in place of `data`. */
            data_base64?: string;
        } & {
            [key: string]: string | boolean | number | null;
        };
        /** @description An event in its place, with `data` or `data_base64`. */
        Event: {
            offset: number;
            /**
             * @description Resumes a stream behind this event.
             * @example 42-1
             */
            cursor: string;
            /** @description The publisher’s id, or the cursor. */
            id: string;
            /**
             * Format: date-time
             * @description The stamp of the primary.
             */
            time: string;
            /** @description The publisher’s type. */
            type?: string;
            /** @example text/plain; charset=utf-8 */
            contentType: string;
            /** @description CloudEvents attributes: source, extensions. Booleans and integers as strings. */
            attributes?: {
                [key: string]: string;
            };
            /** @description Text as a string, JSON as JSON. */
            data?: unknown;
            /** @description Anything else, in base64. */
            data_base64?: string;
        };
        /** @description A page of a topic’s events, ascending. */
        EventPage: {
            topic: string;
            events: components["schemas"]["Event"][];
            /** @description Give it as `lastEventId` for what follows. Of a page from an offset in the future it is the end of what there is. */
            next: string;
            /** @description Offsets before the events of the page that retention has removed. */
            gap?: {
                from: number;
                to: number;
            };
            /** @description First offset still kept. */
            earliest: number;
            /** @description Last offset. */
            latest: number;
        };
        /** @description A peer as the one that was asked sees it. */
        Peer: {
            /**
             * @description The binary label of a corner.
             * @example 110
             */
            id: string;
            /** @example http://127.0.0.1:5555 */
            url: string;
            /** @description The random id of its store. */
            uid: string;
            /** @description How it looks from the peer that was asked; `unknown` when the two share neither a slot nor a link. */
            status: "self" | "up" | "suspected" | "down" | "unknown";
            /**
             * @description It is on its way out: listed until its slots have moved.
             * @constant
             */
            leaving?: true;
            /** @description The newest format its program speaks with other peers. */
            format: number;
            /** @description Peers across one dimension. */
            neighbours: string[];
            /** @description Slots it is the home of. */
            homes: number;
            /** @description Slots it is the primary of, as far as known. */
            primaries: number;
        };
        /** @description The roster’s peers by label. */
        PeerList: {
            peers: components["schemas"]["Peer"][];
            /** @description The format the peers speak with each other: the newest that the programs of all of them know. */
            format: number;
            /** @description Slots that are still to move to where the roster places them; null without `progress=true`. */
            moving: number | null;
            /** @description About how many bytes of events are still to be copied until they have; null without `progress=true`. */
            bytesToMove: number | null;
            /** @description Replicas that are down or have not caught up with their primary: before another peer stops, this should be 0; null without `progress=true`. */
            behind: number | null;
            /** @description Slots for which nobody answered in time; null without `progress=true`. */
            unknown: number | null;
        };
        /** @description The topology as this peer sees it. */
        Cube: {
            clusterId: string;
            /** @description Version of the roster. */
            version: number;
            dimension: number;
            slots: number;
            /** @description The format the peers speak with each other: the newest that the programs of all of them know. */
            format: number;
            /**
             * @description The binary label of a corner.
             * @example 110
             */
            self: string;
            peers: components["schemas"]["Peer"][];
            /** @description Slots that are still to move to where the roster places them; null without `progress=true`. */
            moving: number | null;
            /** @description About how many bytes of events are still to be copied until they have; null without `progress=true`. */
            bytesToMove: number | null;
            /** @description Replicas that are down or have not caught up with their primary: before another peer stops, this should be 0; null without `progress=true`. */
            behind: number | null;
            /** @description Slots for which nobody answered in time; null without `progress=true`. */
            unknown: number | null;
            /** @description The primary of each slot, by slot, as far as known here. */
            primaries: (string | null)[];
        };
        /** @description The list of peers as they keep it, from which all placement follows. */
        Roster: {
            version: number;
            clusterId: string;
            dimension: number;
            slots: number;
            peers: {
                /**
                 * @description The label as it was given; in a cube that has grown since, its value counts: 101 is 0101.
                 * @example 110
                 */
                id: string;
                /** @description The random id of the peer’s store. */
                uid: string;
                /** @description Its Raft member number, never given twice. */
                number: number;
                /**
                 * @description Base URL that the other peers and clients reach it at, without a trailing slash.
                 * @example http://127.0.0.1:5556
                 */
                url: string;
                /** @constant */
                leaving?: true;
                /** @description The newest format its program speaks; absent means 1. */
                format?: number;
            }[];
            /** @description The highest member number ever given. */
            lastNumber?: number;
            /** @description What made this version; absent at founding. */
            change?: {
                kind: "join" | "leave" | "evict" | "replace" | "address" | "remove" | "format";
                /**
                 * @description The label as it was given; in a cube that has grown since, its value counts: 101 is 0101.
                 * @example 110
                 */
                id: string;
                /** @description Who wanted it. */
                by: string;
                why: string;
                /** @description Milliseconds since 1970, the primary’s stamp. */
                timeMs: number;
            };
            /** @description The format the peers speak with each other; absent means 1. */
            format?: number;
        };
        /** @description A peer that was taken in, and the roster that lists it. */
        Joined: {
            peer: components["schemas"]["Peer"];
            roster: components["schemas"]["Roster"];
        };
        /** @description A peer on its way out. */
        Leaving: {
            peer: components["schemas"]["Peer"];
        };
        /** @description How slots go on that lost their majority for good. */
        Recovery: {
            /** @description False for a plan: nothing was changed. */
            done: boolean;
            /** @description Version of the roster. */
            version: number;
            /** @description The peers that go, or went, off the list. */
            lost: {
                id: string;
                url: string;
            }[];
            /** @description Slots that have lost their majority. */
            slots: {
                /** @description Its number; the roster’s own slot follows the last topic slot. */
                slot: number;
                /** @description It is the roster’s own. */
                roster: boolean;
                /** @description continued: with the log of one peer that is left. founded: no copy is left, its topics are gone, and it begins anew, empty. */
                action: "continued" | "founded";
                /** @description The label of the peer it goes on at. */
                peer: string;
                /** @description Index of the last log entry that is left: whatever only the lost had behind it is gone. */
                last: number;
                /** @description Labels of peers that are left and whose copy of it has a corrupt record: what only they had is given up too. */
                corrupt: string[];
            }[];
            /** @description Slots that have a majority and are left alone. */
            kept: number;
            /** @description Slots that are lost and not founded anew, because copies with a corrupt record are all that is left of them. */
            stuck: {
                slot: number;
                /** @description Labels of the peers that have such a copy. Whoever gives up one of them stops it and names it as lost as well. */
                corrupt: string[];
            }[];
        };
        /** @description Whether the peer is well. */
        Health: {
            status: "ok" | "waiting";
            /** @description What it waits for, in words. */
            why: string;
        };
        /** @description An error (RFC 9457). */
        Problem: {
            /**
             * Format: uri-reference
             * @description The page about this code.
             */
            type: string;
            title: string;
            status: number;
            /** @description What is wrong in this case. */
            detail: string;
            /**
             * Format: uri
             * @description The id of the request.
             */
            instance: string;
            /** @description Stable; docs/ERRORS.md lists all. */
            code: "UNKNOWN_TOPIC" | "TOPIC_EXISTS" | "TOO_MANY_TOPICS" | "INVALID_TOPIC_NAME" | "INVALID_REQUEST" | "UNKNOWN_PARAMETER" | "INVALID_CURSOR" | "CURSOR_FROM_FUTURE" | "INVALID_EVENT" | "EMPTY_BATCH" | "IDEMPOTENCY_KEY_REUSED" | "IDEMPOTENCY_KEY_IN_FLIGHT" | "KEY_SPACE_FULL" | "PAYLOAD_TOO_LARGE" | "UNSUPPORTED_MEDIA_TYPE" | "NOT_ACCEPTABLE" | "NOT_TEXT" | "FOREIGN_ORIGIN" | "STRANGER" | "MISDIRECTED" | "FOUNDING_REFUSED" | "NOT_FOUND" | "UNKNOWN_PEER" | "LABEL_TAKEN" | "LABEL_TOO_WIDE" | "ADDRESS_TAKEN" | "STORE_LISTED" | "CUBE_FULL" | "JOIN_REFUSED" | "ADDRESS_UNREACHABLE" | "CHANGE_UNDER_WAY" | "LAST_PEER" | "NOT_LEAVING" | "UPGRADE_UNDER_WAY" | "PEER_NOT_LOST" | "PEER_SILENT" | "RECOVERY_INCOMPLETE" | "METHOD_NOT_ALLOWED" | "BAD_HTTP" | "HEADERS_TOO_LARGE" | "REQUEST_TIMEOUT" | "NO_PRIMARY" | "UNREACHABLE" | "OVERLOADED" | "NOT_FOUNDED" | "STOPPING" | "OUTCOME_UNKNOWN" | "CLOCK_SKEW" | "DISK_FULL" | "INTERNAL";
            /** @description What to do about it. */
            remedy: string;
        } & {
            [key: string]: unknown;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getCube: {
        parameters: {
            query?: {
                /** @description Ask the primary of every slot what of it is still to move, which takes a moment. */
                progress?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The cube. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Cube"];
                };
            };
            /** @description INVALID_REQUEST: The request is not as the contract says. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. OVERLOADED: More is under way than this peer can hold. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readCubeEvents: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readEvents: {
        parameters: {
            query?: {
                /**
                 * @description `earliest`, `latest`, an offset (inclusive), or an ISO time. Streams begin at `latest`, the rest at `earliest`.
                 * @example earliest
                 */
                from?: string;
                /** @description The last so many events, then live. */
                last?: number;
                /**
                 * @description Resume behind this cursor, where a header cannot be set.
                 * @example 42-1
                 */
                lastEventId?: string;
                /** @description The publisher’s type becomes the name of the SSE event. */
                named?: boolean;
                /** @description `cloudevents`: each SSE event is a CloudEvents 1.0 JSON object. */
                format?: "plain" | "cloudevents";
                /** @description Events of a page of application/json. */
                limit?: number;
            };
            header?: {
                /** @description Resume behind this cursor. */
                "Last-Event-ID"?: string;
            };
            path: {
                /**
                 * @description The name of the topic, percent-encoded: 1 to 255 bytes of UTF-8.
                 * @example sports
                 */
                topic: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events, in the type asked for. */
            200: {
                headers: {
                    /** @description Accept */
                    Vary?: string;
                    /** @description Of a page behind which there are more events: `<…>; rel="next"` (RFC 8288). */
                    Link?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                    "application/json": components["schemas"]["EventPage"];
                    "application/x-ndjson": string;
                };
            };
            /** @description The topic that the cursor belongs to has ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description INVALID_TOPIC_NAME: The name cannot be a topic. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. INVALID_REQUEST: The request is not as the contract says. INVALID_CURSOR: The cursor cannot be read. CURSOR_FROM_FUTURE: The cursor names an event that was never published. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNKNOWN_TOPIC: There is no such topic. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NOT_ACCEPTABLE: None of the accepted types can be given. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. OVERLOADED: More is under way than this peer can hold. STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getLiveness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It runs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getReadiness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It serves. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not yet, or no more: `why` says what is missing. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    getMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Prometheus’ text format. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getContract: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OpenAPI 3.1. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/yaml": string;
                };
            };
            /** @description UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listPeers: {
        parameters: {
            query?: {
                /** @description Ask the primary of every slot what of it is still to move, which takes a moment. */
                progress?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The peers. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PeerList"];
                };
            };
            /** @description INVALID_REQUEST: The request is not as the contract says. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. OVERLOADED: More is under way than this peer can hold. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    joinPeer: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description The random id of the peer’s store. */
                    uid: string;
                    /**
                     * @description Base URL that the other peers and clients reach it at, without a trailing slash.
                     * @example http://127.0.0.1:5556
                     */
                    url: string;
                    /**
                     * @description The label it wants; the lowest free one otherwise.
                     * @example 101
                     */
                    id?: string;
                    /** @description The number of slots it was told; it must be the cluster’s. */
                    slots?: number;
                    /** @description The newest format its program speaks with other peers; 1 when it is not said. It must be the cluster’s or newer. */
                    format?: number;
                    /** @description The oldest format its program still speaks; it must be the cluster’s or older. */
                    oldestFormat?: number;
                };
            };
        };
        responses: {
            /** @description The roster lists it already. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Joined"];
                };
            };
            /** @description It is a peer now; the slots it is nearest to move to it. */
            201: {
                headers: {
                    /** @description Path of the peer. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Joined"];
                };
            };
            /** @description UNKNOWN_PARAMETER: The query has a parameter that this path does not know. INVALID_REQUEST: The request is not as the contract says. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description FOREIGN_ORIGIN: Pages of this origin may not write here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNKNOWN_PEER: There is no such peer. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description CHANGE_UNDER_WAY: Another change of the roster is under way. LABEL_TAKEN: The label belongs to another peer. LABEL_TOO_WIDE: The label does not fit the cube. ADDRESS_TAKEN: The address belongs to another peer. STORE_LISTED: The data folder belongs to a peer of this cube already. CUBE_FULL: The cube has no room for another peer. JOIN_REFUSED: The peer does not fit this cluster. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description PAYLOAD_TOO_LARGE: The body is larger than this peer takes. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNSUPPORTED_MEDIA_TYPE: This path does not take that content type. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description ADDRESS_UNREACHABLE: The new peer is not reached at the address it names. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. OVERLOADED: More is under way than this peer can hold. NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. CLOCK_SKEW: The clock of the primary is wrong. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description OUTCOME_UNKNOWN: The outcome is not known. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description DISK_FULL: The disk of the primary is down to its reserve. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getPeer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Its label, as wide as the cube is or was when it was given: 0101 and 101 are the same.
                 * @example 110
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The peer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Peer"];
                };
            };
            /** @description UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNKNOWN_PEER: There is no such peer. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. OVERLOADED: More is under way than this peer can hold. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    removePeer: {
        parameters: {
            query?: {
                /** @description For a peer that is dead for good: nothing is waited for and nothing is asked of it. */
                force?: boolean;
            };
            header?: never;
            path: {
                /**
                 * @description Its label, as wide as the cube is or was when it was given: 0101 and 101 are the same.
                 * @example 110
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is leaving. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Leaving"];
                };
            };
            /** @description UNKNOWN_PARAMETER: The query has a parameter that this path does not know. INVALID_REQUEST: The request is not as the contract says. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description FOREIGN_ORIGIN: Pages of this origin may not write here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNKNOWN_PEER: There is no such peer. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description CHANGE_UNDER_WAY: Another change of the roster is under way. LAST_PEER: The last peer cannot leave. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. OVERLOADED: More is under way than this peer can hold. NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. CLOCK_SKEW: The clock of the primary is wrong. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description OUTCOME_UNKNOWN: The outcome is not known. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description DISK_FULL: The disk of the primary is down to its reserve. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    publishEvent: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The same key with the same payload gives the first answer again, for at least five minutes; quoted or bare.
                 * @example "8e03978e-40d5-43dd-bc93-6894a57f9324"
                 */
                "Idempotency-Key"?: string;
                /** @description `1.0`: the event is held to the specification of CloudEvents. */
                "ce-specversion"?: string;
                /** @description The publisher’s id of the event. */
                "ce-id"?: string;
                /** @description The event’s type, its name in SSE with `named=true`; open, error, message, gap, end and cloudevent are reserved. */
                "ce-type"?: string;
                /** @description CloudEvents source, kept as it is, like every other `ce-*` header. */
                "ce-source"?: string;
            };
            path: {
                /**
                 * @description The name of the topic, percent-encoded: 1 to 255 bytes of UTF-8.
                 * @example sports
                 */
                topic: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example Match Update 1 */
                "*/*": unknown;
                "application/cloudevents+json": components["schemas"]["CloudEvent"];
                "application/cloudevents-batch+json": components["schemas"]["CloudEvent"][];
            };
        };
        responses: {
            /** @description The event is kept; `BatchPublished` answers a batch. */
            201: {
                headers: {
                    /** @description Labels of the peers the request went through, in order. */
                    "Hypercast-Path"?: string;
                    /** @description Base URL of the topic’s primary. */
                    "Hypercast-Primary"?: string;
                    /** @description Where the event can be read again. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Published"] | components["schemas"]["BatchPublished"];
                };
            };
            /** @description INVALID_TOPIC_NAME: The name cannot be a topic. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. INVALID_REQUEST: The request is not as the contract says. INVALID_EVENT: The event cannot be published as it is. EMPTY_BATCH: The batch holds no event. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description FOREIGN_ORIGIN: Pages of this origin may not write here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNKNOWN_TOPIC: There is no such topic. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description IDEMPOTENCY_KEY_IN_FLIGHT: A publish with this Idempotency-Key is under way. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description PAYLOAD_TOO_LARGE: The body is larger than this peer takes. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNSUPPORTED_MEDIA_TYPE: This path does not take that content type. NOT_TEXT: The body is not valid UTF-8 text. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description IDEMPOTENCY_KEY_REUSED: This Idempotency-Key was used with another payload. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. OVERLOADED: More is under way than this peer can hold. STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. CLOCK_SKEW: The clock of the primary is wrong. KEY_SPACE_FULL: No more idempotency keys can be remembered now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description OUTCOME_UNKNOWN: The outcome is not known. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description DISK_FULL: The disk of the primary is down to its reserve. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    publishBatch: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The same key with the same payload gives the first answer again, for at least five minutes; quoted or bare.
                 * @example "8e03978e-40d5-43dd-bc93-6894a57f9324"
                 */
                "Idempotency-Key"?: string;
            };
            path: {
                /**
                 * @description The name of the topic, percent-encoded: 1 to 255 bytes of UTF-8.
                 * @example sports
                 */
                topic: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {"data":"Match Update 1"}
                 *     {"data":{"score":[1,0]},"type":"goal"}
                 */
                "application/x-ndjson": string;
                "application/cloudevents-batch+json": components["schemas"]["CloudEvent"][];
            };
        };
        responses: {
            /** @description All events are kept, at consecutive offsets. */
            201: {
                headers: {
                    /** @description Labels of the peers the request went through, in order. */
                    "Hypercast-Path"?: string;
                    /** @description Base URL of the topic’s primary. */
                    "Hypercast-Primary"?: string;
                    /** @description Where the event can be read again. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchPublished"];
                };
            };
            /** @description INVALID_TOPIC_NAME: The name cannot be a topic. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. INVALID_REQUEST: The request is not as the contract says. INVALID_EVENT: The event cannot be published as it is. EMPTY_BATCH: The batch holds no event. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description FOREIGN_ORIGIN: Pages of this origin may not write here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNKNOWN_TOPIC: There is no such topic. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description IDEMPOTENCY_KEY_IN_FLIGHT: A publish with this Idempotency-Key is under way. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description PAYLOAD_TOO_LARGE: The body is larger than this peer takes. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNSUPPORTED_MEDIA_TYPE: This path does not take that content type. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description IDEMPOTENCY_KEY_REUSED: This Idempotency-Key was used with another payload. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. OVERLOADED: More is under way than this peer can hold. STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. CLOCK_SKEW: The clock of the primary is wrong. KEY_SPACE_FULL: No more idempotency keys can be remembered now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description OUTCOME_UNKNOWN: The outcome is not known. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description DISK_FULL: The disk of the primary is down to its reserve. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    recoverSlots: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description Labels of the peers that are gone for good; those that are off the list already are passed over. */
                    lost: string[];
                    /**
                     * @description Do it; without it, the answer says what would be done.
                     * @default false
                     */
                    force?: boolean;
                    /** @description Who asks, for the roster’s note. */
                    by?: string;
                };
            };
        };
        responses: {
            /** @description What would be done, or was. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recovery"];
                };
            };
            /** @description INVALID_REQUEST: The request is not as the contract says. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description FOREIGN_ORIGIN: Pages of this origin may not write here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description PEER_NOT_LOST: A peer that is said to be lost answers. PEER_SILENT: A peer that is not said to be lost does not answer. CHANGE_UNDER_WAY: Another change of the roster is under way. LAST_PEER: The last peer cannot leave. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description PAYLOAD_TOO_LARGE: The body is larger than this peer takes. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNSUPPORTED_MEDIA_TYPE: This path does not take that content type. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. OVERLOADED: More is under way than this peer can hold. RECOVERY_INCOMPLETE: The recovery stopped on its way. NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description OUTCOME_UNKNOWN: The outcome is not known. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    replicate: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/vnd.msgpack": unknown;
                "application/json": unknown;
            };
        };
        responses: {
            /** @description Answers. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/vnd.msgpack": unknown;
                    "application/json": unknown;
                };
            };
            /** @description INVALID_REQUEST: The request is not as the contract says. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description STRANGER: The sender is not a peer of this cluster. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description PAYLOAD_TOO_LARGE: The body is larger than this peer takes. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description MISDIRECTED: The request is meant for another peer. */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NOT_FOUNDED: This peer does not know its cube yet. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    heartbeat: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/vnd.msgpack": unknown;
                "application/json": unknown;
            };
        };
        responses: {
            /** @description The other side’s. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/vnd.msgpack": unknown;
                    "application/json": unknown;
                };
            };
            /** @description INVALID_REQUEST: The request is not as the contract says. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description STRANGER: The sender is not a peer of this cluster. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description PAYLOAD_TOO_LARGE: The body is larger than this peer takes. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description MISDIRECTED: The request is meant for another peer. */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NOT_FOUNDED: This peer does not know its cube yet. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readSeveral: {
        parameters: {
            query: {
                /**
                 * @description A topic, or a pattern: `*` stands for one segment of a name, `**` for any number of them, segments end at `/`. Given once for each. Topics need not exist yet: they join in when they are created.
                 * @example [
                 *       "sports",
                 *       "news/*"
                 *     ]
                 */
                topic: string[];
                /**
                 * @description `earliest`, `latest` (the default), or an ISO time.
                 * @example earliest
                 */
                from?: string;
                /** @description The newest so many events of all these topics together, then live. */
                last?: number;
                /**
                 * @description Resume behind this cursor, where a header cannot be set.
                 * @example 1.2s.4f~u.0.0
                 */
                lastEventId?: string;
            };
            header?: {
                /** @description Resume behind this cursor. */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events of all these topics. */
            200: {
                headers: {
                    /** @description Accept */
                    Vary?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description INVALID_TOPIC_NAME: The name cannot be a topic. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. INVALID_REQUEST: The request is not as the contract says. INVALID_CURSOR: The cursor cannot be read. CURSOR_FROM_FUTURE: The cursor names an event that was never published. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NOT_ACCEPTABLE: None of the accepted types can be given. */
            406: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description HEADERS_TOO_LARGE: The header of the request is too large. */
            431: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    countSubscribers: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The name of the topic, percent-encoded: 1 to 255 bytes of UTF-8.
                 * @example sports
                 */
                topic: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How many listen, by peer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Subscribers"];
                };
            };
            /** @description INVALID_TOPIC_NAME: The name cannot be a topic. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNKNOWN_TOPIC: There is no such topic. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UPGRADE_UNDER_WAY: Not all peers run a version that knows this yet. OVERLOADED: More is under way than this peer can hold. STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listTopics: {
        parameters: {
            query?: {
                /** @description The `next` of the page before. */
                after?: string;
                /** @description Topics a page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of topics. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TopicList"];
                };
            };
            /** @description INVALID_REQUEST: The request is not as the contract says. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. OVERLOADED: More is under way than this peer can hold. STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. CLOCK_SKEW: The clock of the primary is wrong. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createTopic: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /**
                     * @description The name of the topic, 1 to 255 bytes of UTF-8.
                     * @example sports
                     */
                    name: string;
                    /** @description Age in milliseconds at which events leave; null is never. */
                    maxAgeMs?: number | null;
                    /** @description Number of events kept; null is all. */
                    maxEvents?: number | null;
                    /** @description Payload bytes kept; null is all. */
                    maxBytes?: number | null;
                };
            };
        };
        responses: {
            /** @description It exists already with these settings. */
            200: {
                headers: {
                    /** @description Labels of the peers the request went through, in order. */
                    "Hypercast-Path"?: string;
                    /** @description Base URL of the topic’s primary. */
                    "Hypercast-Primary"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Topic"];
                };
            };
            /** @description It was created. */
            201: {
                headers: {
                    /** @description Labels of the peers the request went through, in order. */
                    "Hypercast-Path"?: string;
                    /** @description Base URL of the topic’s primary. */
                    "Hypercast-Primary"?: string;
                    /** @description Path of the topic. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Topic"];
                };
            };
            /** @description INVALID_TOPIC_NAME: The name cannot be a topic. INVALID_REQUEST: The request is not as the contract says. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description FOREIGN_ORIGIN: Pages of this origin may not write here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description TOPIC_EXISTS: The topic exists with different settings. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description PAYLOAD_TOO_LARGE: The body is larger than this peer takes. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNSUPPORTED_MEDIA_TYPE: This path does not take that content type. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. OVERLOADED: More is under way than this peer can hold. STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. CLOCK_SKEW: The clock of the primary is wrong. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description OUTCOME_UNKNOWN: The outcome is not known. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description DISK_FULL: The disk of the primary is down to its reserve. TOO_MANY_TOPICS: The slot of this topic holds as many topics as it may. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTopic: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The name of the topic, percent-encoded: 1 to 255 bytes of UTF-8.
                 * @example sports
                 */
                topic: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The topic. */
            200: {
                headers: {
                    /** @description Labels of the peers the request went through, in order. */
                    "Hypercast-Path"?: string;
                    /** @description Base URL of the topic’s primary. */
                    "Hypercast-Primary"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Topic"];
                };
            };
            /** @description INVALID_TOPIC_NAME: The name cannot be a topic. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNKNOWN_TOPIC: There is no such topic. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. OVERLOADED: More is under way than this peer can hold. STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. CLOCK_SKEW: The clock of the primary is wrong. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    putTopic: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The name of the topic, percent-encoded: 1 to 255 bytes of UTF-8.
                 * @example sports
                 */
                topic: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Age in milliseconds at which events leave; null is never. */
                    maxAgeMs?: number | null;
                    /** @description Number of events kept; null is all. */
                    maxEvents?: number | null;
                    /** @description Payload bytes kept; null is all. */
                    maxBytes?: number | null;
                };
            };
        };
        responses: {
            /** @description It exists already with these settings. */
            200: {
                headers: {
                    /** @description Labels of the peers the request went through, in order. */
                    "Hypercast-Path"?: string;
                    /** @description Base URL of the topic’s primary. */
                    "Hypercast-Primary"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Topic"];
                };
            };
            /** @description It was created. */
            201: {
                headers: {
                    /** @description Labels of the peers the request went through, in order. */
                    "Hypercast-Path"?: string;
                    /** @description Base URL of the topic’s primary. */
                    "Hypercast-Primary"?: string;
                    /** @description Path of the topic. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Topic"];
                };
            };
            /** @description INVALID_TOPIC_NAME: The name cannot be a topic. INVALID_REQUEST: The request is not as the contract says. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description FOREIGN_ORIGIN: Pages of this origin may not write here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description TOPIC_EXISTS: The topic exists with different settings. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description PAYLOAD_TOO_LARGE: The body is larger than this peer takes. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNSUPPORTED_MEDIA_TYPE: This path does not take that content type. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. OVERLOADED: More is under way than this peer can hold. STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. CLOCK_SKEW: The clock of the primary is wrong. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description OUTCOME_UNKNOWN: The outcome is not known. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description DISK_FULL: The disk of the primary is down to its reserve. TOO_MANY_TOPICS: The slot of this topic holds as many topics as it may. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteTopic: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The name of the topic, percent-encoded: 1 to 255 bytes of UTF-8.
                 * @example sports
                 */
                topic: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone. */
            204: {
                headers: {
                    /** @description Labels of the peers the request went through, in order. */
                    "Hypercast-Path"?: string;
                    /** @description Base URL of the topic’s primary. */
                    "Hypercast-Primary"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description INVALID_TOPIC_NAME: The name cannot be a topic. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description FOREIGN_ORIGIN: Pages of this origin may not write here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNKNOWN_TOPIC: There is no such topic. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. OVERLOADED: More is under way than this peer can hold. STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. CLOCK_SKEW: The clock of the primary is wrong. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description OUTCOME_UNKNOWN: The outcome is not known. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description DISK_FULL: The disk of the primary is down to its reserve. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    changeTopic: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The name of the topic, percent-encoded: 1 to 255 bytes of UTF-8.
                 * @example sports
                 */
                topic: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description Age in milliseconds at which events leave; null is never. */
                    maxAgeMs?: number | null;
                    /** @description Number of events kept; null is all. */
                    maxEvents?: number | null;
                    /** @description Payload bytes kept; null is all. */
                    maxBytes?: number | null;
                };
            };
        };
        responses: {
            /** @description The topic as it is now. */
            200: {
                headers: {
                    /** @description Labels of the peers the request went through, in order. */
                    "Hypercast-Path"?: string;
                    /** @description Base URL of the topic’s primary. */
                    "Hypercast-Primary"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Topic"];
                };
            };
            /** @description INVALID_TOPIC_NAME: The name cannot be a topic. UNKNOWN_PARAMETER: The query has a parameter that this path does not know. INVALID_REQUEST: The request is not as the contract says. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description FOREIGN_ORIGIN: Pages of this origin may not write here. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNKNOWN_TOPIC: There is no such topic. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description PAYLOAD_TOO_LARGE: The body is larger than this peer takes. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description UNSUPPORTED_MEDIA_TYPE: This path does not take that content type. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description NO_PRIMARY: The topic has no primary now. UNREACHABLE: No replica of the topic can be reached from this peer. OVERLOADED: More is under way than this peer can hold. STOPPING: This peer is stopping. NOT_FOUNDED: This peer does not know its cube yet. CLOCK_SKEW: The clock of the primary is wrong. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description OUTCOME_UNKNOWN: The outcome is not known. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description DISK_FULL: The disk of the primary is down to its reserve. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
