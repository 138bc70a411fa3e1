-- Conversations and their messages. What writes a message is a step of a run; what it came to is copied by `settle_message`.

-- Start the run that answers, and insert what is said and what is to be written, together or not at all. `p_chat` holds the
-- conversation (`id`, `title`, perhaps `settings`; null for an answer that belongs to none), perhaps a `battle`, and
-- `messages` in an order in which parents come first; one with a `position` is written by that step. Answers as
-- `start_runs`, or which parent is missing.
-- A message id that is taken violates a constraint.
CREATE OR REPLACE FUNCTION start_chat(p_chat jsonb, p_start jsonb, p_steps jsonb, p_resend real)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    by_whom       text := p_start ->> 'created_by';
    place         bigint;
    number        bigint;
    above         bigint;
    last          bigint;
    m             record;
    answer        jsonb;
    moment        timestamptz;
BEGIN
    -- Kept from being deleted until the new ones stand.
    PERFORM 1 FROM conversations c WHERE c.public_id = p_chat #>> '{conversation,id}' FOR KEY SHARE;
    FOR m IN SELECT e ->> 'parent' AS parent FROM jsonb_array_elements(p_chat -> 'messages') e
              WHERE e ->> 'parent' IS NOT NULL AND e ->> 'parent' NOT IN (
                SELECT own ->> 'id' FROM jsonb_array_elements(p_chat -> 'messages') own) LOOP
        PERFORM 1 FROM messages x LEFT JOIN conversations c ON c.id = x.conversation_id
          WHERE x.public_id = m.parent AND x.part = 'message'
            AND c.public_id IS NOT DISTINCT FROM p_chat #>> '{conversation,id}';
        IF NOT FOUND THEN
            RETURN jsonb_build_object('status', 'unknown_parent', 'parent', m.parent);
        END IF;
    END LOOP;

    answer := start_runs(p_start, p_steps, p_resend);
    IF answer ->> 'status' <> 'ok' OR NOT (answer #>> '{runs,0,created}')::boolean THEN
        RETURN answer;
    END IF;
    SELECT r.id, r.created_at INTO number, moment FROM runs r WHERE r.public_id = p_start #>> '{runs,0,public_id}';
    IF p_chat -> 'conversation' <> 'null' THEN
        INSERT INTO conversations AS c (public_id, title, created_by, created_at, updated_at, settings)
        VALUES (p_chat #>> '{conversation,id}', p_chat #>> '{conversation,title}', by_whom, moment, moment,
                p_chat #> '{conversation,settings}')
        ON CONFLICT (public_id) DO UPDATE
           SET updated_at = excluded.updated_at, settings = coalesce(excluded.settings, c.settings)
        RETURNING c.id INTO place;
    END IF;
    FOR m IN SELECT e.* FROM jsonb_to_recordset(p_chat -> 'messages') AS e(
                 id text, parent text, part text, role text, text text, model text, "position" integer, battle text) LOOP
        SELECT x.id INTO above FROM messages x WHERE x.public_id = m.parent;
        INSERT INTO messages (public_id, conversation_id, parent_id, part, role, status, text, model, run_id, position,
                              public_run, battle, created_by, created_at, ended_at)
        VALUES (m.id, place, above, m.part, m.role, CASE WHEN m.position IS NULL THEN 'completed' ELSE 'writing' END,
                coalesce(m.text, ''), m.model, CASE WHEN m.position IS NOT NULL THEN number END, m.position,
                p_start #>> '{runs,0,public_id}', m.battle, by_whom, moment,
                CASE WHEN m.position IS NULL THEN moment END)
        RETURNING id INTO above;
        -- The branch that is read from now on ends with the first answer.
        last := coalesce(last, CASE WHEN m.position IS NOT NULL AND m.part = 'message' THEN above END);
    END LOOP;
    UPDATE conversations SET leaf_id = last WHERE id = place;
    IF p_chat ? 'battle' THEN
        INSERT INTO battles (public_id, models, messages, created_by, created_at)
        SELECT b.id, b.models, b.messages, by_whom, moment
          FROM jsonb_to_record(p_chat -> 'battle') AS b(id text, models text[], messages text[]);
    END IF;
    RETURN answer;
END $$;

-- Copy what a step came to into the message that it writes, if it writes one. Called as a transaction commits, perhaps
-- more than once: what counts is how the step stands then. What was finished stays until it is finished anew: it is read
-- while the step is open again, and an answer is as it was where the step comes to nothing else. A proposal is not, since
-- the answer is then made without it.
CREATE OR REPLACE FUNCTION settle_message(p_run bigint, p_position integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s        steps;
    m        messages;
    result   jsonb;
    why      jsonb;
    written  texts;
    stands   timestamptz;
BEGIN
    SELECT * INTO s FROM steps WHERE run_id = p_run AND position = p_position;
    SELECT * INTO m FROM messages WHERE run_id = p_run AND position = p_position;
    IF s.run_id IS NULL OR m.id IS NULL THEN
        RETURN;
    END IF;
    -- When the attempt ended that finished what stands in the message; NULL when nothing finished does.
    stands := completed_at(p_run, p_position, m.text_attempt);
    IF s.ended_at IS NULL THEN
        IF stands IS NOT NULL THEN
            UPDATE messages SET status = 'writing', error = NULL, ended_at = NULL WHERE id = m.id AND status <> 'writing';
        ELSE
            UPDATE messages SET status = 'writing', text = '', text_attempt = NULL, text_edition = NULL,
                                finish_reason = NULL, usage = NULL, timings = NULL, error = NULL, ended_at = NULL
             WHERE id = m.id AND status <> 'writing';
        END IF;
        RETURN;
    END IF;
    SELECT a.result, a.error INTO result, why FROM attempts a
     WHERE a.run_id = p_run AND a.position = p_position AND a.attempt = s.attempt;
    IF s.status <> 'completed' AND m.part = 'message' AND stands IS NOT NULL THEN
        UPDATE messages SET status = 'completed', ended_at = stands, error = CASE WHEN s.status = 'failed' THEN why END
         WHERE id = m.id;
        RETURN;
    END IF;
    SELECT t.* INTO written FROM texts t WHERE t.run_id = p_run AND t.position = p_position;
    IF completed_at(p_run, p_position, written.attempt) IS NOT NULL AND written.attempt < s.attempt
       AND (s.status <> 'completed' OR written.text IS DISTINCT FROM result #>> '{details,text}') THEN
        -- Of an attempt before, and nothing of it is in what the step has come to.
        written := NULL;
    END IF;
    UPDATE messages
       SET status = CASE s.status WHEN 'completed' THEN 'completed' WHEN 'failed' THEN 'failed' ELSE 'stopped' END,
           text = coalesce(CASE WHEN s.status = 'completed' THEN result #>> '{details,text}' END, written.text, ''),
           -- An answer that was kept as it was is still that of the attempt that wrote it.
           text_attempt = CASE WHEN s.status = 'completed' AND completed_at(p_run, p_position, written.attempt) IS NULL
                               THEN s.attempt ELSE written.attempt END,
           text_edition = written.edition,
           finish_reason = CASE s.status WHEN 'completed' THEN result #>> '{details,finish_reason}'
                                         WHEN 'failed' THEN 'error' ELSE 'stopped' END,
           usage = result #> '{details,usage}', timings = result #> '{details,timings}',
           error = CASE WHEN s.status = 'failed' THEN why END, ended_at = s.ended_at
     WHERE id = m.id;
END $$;

-- When an attempt completed its step; NULL when it did not.
CREATE OR REPLACE FUNCTION completed_at(p_run bigint, p_position integer, p_attempt integer) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT a.ended_at FROM attempts a
     WHERE a.run_id = p_run AND a.position = p_position AND a.attempt = p_attempt AND a.outcome = 'completed'
$$;

-- A message as readers are told it; of one that is being written, what is stored of it and how its step stands.
CREATE OR REPLACE FUNCTION message_json(m messages) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    shown    jsonb;
    writing  record;
BEGIN
    shown := jsonb_build_object(
        'id', m.public_id, 'conversation_id', (SELECT c.public_id FROM conversations c WHERE c.id = m.conversation_id),
        'parent', (SELECT p.public_id FROM messages p WHERE p.id = m.parent_id), 'part', m.part, 'role', m.role,
        'status', m.status, 'text', m.text,
        'text_attempt', m.text_attempt, 'text_edition', m.text_edition,
        'model', CASE WHEN m.battle IS NULL OR EXISTS (
            SELECT FROM battles b WHERE b.public_id = m.battle AND b.verdict IS NOT NULL) THEN m.model END,
        'run_id', m.public_run, 'battle', m.battle, 'vote', (
            SELECT jsonb_build_object('verdict', b.verdict, 'winner', b.winner)
              FROM battles b WHERE b.public_id = m.battle AND b.verdict IS NOT NULL),
        'agents', (SELECT count(*) FROM messages p WHERE p.parent_id = m.id AND p.part = 'proposal'),
        'finish_reason', m.finish_reason, 'usage', m.usage,
        'timings', m.timings, 'error', m.error, 'created_by', m.created_by, 'created_at', m.created_at,
        'ended_at', m.ended_at);
    IF m.error IS NOT NULL AND m.battle IS NOT NULL AND shown -> 'model' = 'null' THEN
        -- What a provider says of its model may name it.
        shown := shown || jsonb_build_object('error', jsonb_build_object(
            'code', m.error -> 'code', 'message', 'this contender failed; why is told after the vote'));
    END IF;
    IF m.status = 'writing' THEN
        SELECT s.key, s.status, s.attempt, s.waiting_for, s.due_at, t.text, t.attempt AS text_attempt, t.edition,
               p.document ->> 'message' AS doing, p.updated_at AS doing_since
          INTO writing
          FROM steps s LEFT JOIN texts t ON t.run_id = s.run_id AND t.position = s.position
               LEFT JOIN progress p ON p.run_id = s.run_id AND p.position = s.position AND p.attempt = s.attempt
                                       AND s.status = 'in_progress'
         WHERE s.run_id = m.run_id AND s.position = m.position;
        shown := shown || jsonb_build_object(
            -- What was finished before is read until there is more than that.
            'text', coalesce(writing.text, m.text), 'text_attempt', coalesce(writing.text_attempt, m.text_attempt),
            'text_edition', CASE WHEN writing.text_attempt IS NULL THEN m.text_edition ELSE writing.edition END,
            'attempt', writing.attempt,
            'step', jsonb_build_object(
                'key', writing.key, 'status', writing.status, 'attempt', writing.attempt,
                'waiting_for', writing.waiting_for,
                'until', CASE WHEN writing.status = 'waiting' THEN writing.due_at END,
                'doing', writing.doing, 'doing_since', writing.doing_since));
    ELSIF m.run_id IS NOT NULL THEN
        shown := shown || jsonb_build_object('step', (
            SELECT jsonb_build_object('key', s.key, 'status', s.status, 'attempt', s.attempt)
              FROM steps s WHERE s.run_id = m.run_id AND s.position = m.position));
    END IF;
    RETURN shown;
END $$;

-- One message, with its proposals when it has any; NULL when there is none.
CREATE OR REPLACE FUNCTION read_message(p_message text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT message_json(m) || jsonb_build_object('proposals', (
               SELECT jsonb_agg(message_json(p) ORDER BY p.id) FROM messages p WHERE p.parent_id = m.id AND p.part = 'proposal'))
      FROM messages m WHERE m.public_id = p_message
$$;

CREATE OR REPLACE FUNCTION conversation_json(c conversations) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'id', c.public_id, 'title', c.title, 'created_by', c.created_by, 'created_at', c.created_at,
        'updated_at', c.updated_at, 'leaf', (SELECT m.public_id FROM messages m WHERE m.id = c.leaf_id),
        'writing', (SELECT count(*) FROM messages m
                     WHERE m.conversation_id = c.id AND m.status = 'writing' AND m.part = 'message'))
$$;

-- A conversation and some of its messages, the oldest first, proposals left out: of those before `p_before` (NULL: of all)
-- the last by age, and on the first page also those of the branch that is read that are older than these. Of both at most
-- `p_limit`, and no more than `p_characters` of text, but one in any case. `older` is the `p_before` of the next page, NULL
-- where there is none; `total` counts no further than 10,000. NULL when there is no such conversation; `messages` is NULL
-- when it has no message `p_before`.
CREATE OR REPLACE FUNCTION read_conversation(p_conversation text, p_limit integer, p_before text, p_characters integer)
RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    c       conversations;
    before  bigint;
    aged    bigint[];
    branch  bigint[];
    shown   jsonb;
    oldest  bigint;
BEGIN
    SELECT * INTO c FROM conversations WHERE public_id = p_conversation;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT m.id INTO before FROM messages m
     WHERE m.public_id = p_before AND m.conversation_id = c.id AND m.part = 'message';
    IF p_before IS NULL OR before IS NOT NULL THEN
        SELECT array_agg(x.id), min(x.id) INTO aged, oldest FROM (
            SELECT m.id, row_number() OVER last_first AS number, sum(length(m.text)) OVER last_first AS characters
              FROM (SELECT n.id, n.text FROM messages n
                     WHERE n.conversation_id = c.id AND n.part = 'message' AND n.id < coalesce(before, 9223372036854775807)
                     ORDER BY n.id DESC LIMIT p_limit) m
            WINDOW last_first AS (ORDER BY m.id DESC)) x
         WHERE x.number = 1 OR x.characters <= p_characters;
        IF before IS NULL THEN
            WITH RECURSIVE up AS (
                SELECT m.id, m.parent_id, length(m.text) AS characters, 1 AS height FROM messages m WHERE m.id = c.leaf_id
                UNION ALL
                SELECT p.id, p.parent_id, up.characters + length(p.text), up.height + 1
                  FROM up JOIN messages p ON p.id = up.parent_id
                 WHERE up.height < p_limit AND up.characters + length(p.text) <= p_characters)
            SELECT array_agg(u.id) INTO branch FROM up u WHERE u.id < oldest;
        END IF;
        SELECT coalesce(jsonb_agg(message_json(m) ORDER BY m.id), '[]') INTO shown
          FROM messages m WHERE m.id = ANY (aged || branch);
    END IF;
    RETURN conversation_json(c) || jsonb_build_object(
        'messages', shown,
        'older', (SELECT m.public_id FROM messages m WHERE m.id = oldest AND EXISTS (
            SELECT FROM messages o WHERE o.conversation_id = c.id AND o.part = 'message' AND o.id < oldest)),
        'total', (SELECT count(*) FROM (
            SELECT FROM messages m WHERE m.conversation_id = c.id AND m.part = 'message' LIMIT 10000) x),
        'settings', coalesce(c.settings, '{}'));
END $$;

-- Conversations, the last changed first. `p_before` and `p_before_id` are those of the last one of the page before.
CREATE OR REPLACE FUNCTION list_conversations(p_limit integer, p_before timestamptz, p_before_id text)
RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(conversation_json(x) ORDER BY x.updated_at DESC, x.id DESC), '[]')
      FROM (SELECT c.* FROM conversations c
             WHERE p_before IS NULL OR (c.updated_at, c.id) < (
                 p_before, coalesce((SELECT b.id FROM conversations b WHERE b.public_id = p_before_id), 0))
             ORDER BY c.updated_at DESC, c.id DESC LIMIT p_limit) x
$$;

-- The branch that ends with a message, the oldest first; at most `p_limit`. Without a message: the one that was read last.
-- NULL when the conversation is not there, or the message not in it; a proposal is none that can be followed.
CREATE OR REPLACE FUNCTION read_branch(p_conversation text, p_message text, p_limit integer)
RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    c     conversations;
    leaf  bigint;
BEGIN
    SELECT * INTO c FROM conversations WHERE public_id = p_conversation;
    leaf := CASE WHEN p_message IS NULL THEN c.leaf_id
                 ELSE (SELECT m.id FROM messages m
                        WHERE m.public_id = p_message AND m.conversation_id = c.id AND m.part = 'message') END;
    IF c.id IS NULL OR (leaf IS NULL AND p_message IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    RETURN (
        WITH RECURSIVE up AS (
            SELECT m.*, 1 AS height FROM messages m WHERE m.id = leaf
            UNION ALL
            SELECT p.*, up.height + 1 FROM up JOIN messages p ON p.id = up.parent_id WHERE up.height < p_limit)
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'id', u.public_id, 'role', u.role, 'status', u.status, 'model', u.model, 'run_id', u.public_run,
                   'parent', (SELECT p.public_id FROM messages p WHERE p.id = u.parent_id),
                   -- Of one that is written anew, what was finished.
                   'text', CASE WHEN u.status = 'writing' AND u.text_attempt IS NULL
                                THEN coalesce((SELECT t.text FROM texts t WHERE t.run_id = u.run_id AND t.position = u.position), '')
                                ELSE u.text END) ORDER BY u.height DESC), '[]')
          FROM up u);
END $$;

-- What a message goes on from: the branch that it follows, as `read_branch`, and the conversation's settings, NULL where none
-- were given.
CREATE OR REPLACE FUNCTION read_ground(p_conversation text, p_message text, p_limit integer)
RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'branch', read_branch(p_conversation, p_message, p_limit),
        'settings', (SELECT c.settings FROM conversations c WHERE c.public_id = p_conversation))
$$;

-- The runs that are writing in a conversation; or, of one message, those that write it and its proposals.
CREATE OR REPLACE FUNCTION chat_runs(p_conversation text, p_message text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(DISTINCT found.run), '{}') FROM (
        SELECT m.public_run AS run FROM conversations c JOIN messages m ON m.conversation_id = c.id
         WHERE c.public_id = p_conversation AND m.status = 'writing'
         UNION ALL
        SELECT m.public_run FROM messages m WHERE m.public_id = p_message AND m.status = 'writing'
         UNION ALL
        SELECT p.public_run FROM messages m JOIN messages p ON p.parent_id = m.id AND p.part = 'proposal'
         WHERE m.public_id = p_message AND p.status = 'writing') found
$$;

-- Give a conversation another title, another branch that is read, or other settings; NULL leaves what there is. False: it
-- has no such message. NULL: there is none.
CREATE OR REPLACE FUNCTION change_conversation(p_conversation text, p_title text, p_leaf text, p_settings jsonb DEFAULT NULL)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    place  bigint;
    leaf   bigint;
BEGIN
    SELECT id INTO place FROM conversations WHERE public_id = p_conversation FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT m.id INTO leaf FROM messages m
     WHERE m.public_id = p_leaf AND m.conversation_id = place AND m.part = 'message';
    IF p_leaf IS NOT NULL AND leaf IS NULL THEN
        RETURN false;
    END IF;
    UPDATE conversations
       SET title = coalesce(p_title, title), leaf_id = coalesce(leaf, leaf_id), settings = coalesce(p_settings, settings)
     WHERE id = place;
    RETURN true;
END $$;

-- Delete a conversation with its messages; answers the runs that were writing in it, NULL when there is none.
CREATE OR REPLACE FUNCTION delete_conversation(p_conversation text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    runs  text[];
BEGIN
    -- Whoever is about to say something in it has either said it by now, or finds that it is gone.
    PERFORM 1 FROM conversations WHERE public_id = p_conversation FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    runs := chat_runs(p_conversation, NULL);
    DELETE FROM conversations WHERE public_id = p_conversation;
    RETURN runs;
END $$;

-- Record a vote; the first one counts. Answers the battle, or why not.
CREATE OR REPLACE FUNCTION vote(p_battle text, p_verdict text, p_winner text, p_by text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    b  battles;
BEGIN
    SELECT * INTO b FROM battles WHERE public_id = p_battle FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', 'unknown');
    ELSIF b.verdict IS NOT NULL THEN
        RETURN jsonb_build_object('status', 'voted', 'verdict', b.verdict, 'winner', b.winner);
    ELSIF p_winner IS NOT NULL AND p_winner <> ALL (b.messages) THEN
        RETURN jsonb_build_object('status', 'no_contender');
    ELSIF EXISTS (SELECT FROM messages m WHERE m.public_id = ANY (b.messages) AND m.status = 'writing') THEN
        RETURN jsonb_build_object('status', 'writing');
    END IF;
    UPDATE battles SET verdict = p_verdict, winner = p_winner, voted_by = p_by, voted_at = clock_now()
     WHERE public_id = p_battle;
    RETURN jsonb_build_object('status', 'ok', 'models', b.models, 'messages', b.messages);
END $$;

-- The battles that were voted on last, at most `p_limit`, the oldest of them first.
CREATE OR REPLACE FUNCTION voted_battles(p_limit integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'models', x.models, 'messages', x.messages, 'verdict', x.verdict, 'winner', x.winner)
               ORDER BY x.voted_at, x.public_id), '[]')
      FROM (SELECT b.* FROM battles b WHERE b.verdict IS NOT NULL
             ORDER BY b.voted_at DESC, b.public_id DESC LIMIT p_limit) x
$$;
