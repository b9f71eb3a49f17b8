/* The threads of a model: started when a call first wants them, kept until it is closed. */
#include "model.h"

static struct g2p_session *borrow(g2p *model) {
  struct g2p_session *session = NULL;
  g2p_lock(&model->mutex);
  if (model->idle_count) session = model->idle[--model->idle_count];
  g2p_unlock(&model->mutex);
  return session ? session : g2p_session_begin(model->allocator, model->variant, model->weights);
}

static void give_back(g2p *model, struct g2p_session *session) {
  bool kept = false;
  g2p_lock(&model->mutex);
  if (model->idle_count < model->kept) {
    model->idle[model->idle_count++] = session;
    kept = true;
  }
  g2p_unlock(&model->mutex);
  if (!kept) g2p_session_end(session);
}

void g2p_pool_trim(g2p *model) {
  for (;;) {
    g2p_lock(&model->mutex);
    struct g2p_session *session = model->idle_count ? model->idle[--model->idle_count] : NULL;
    g2p_unlock(&model->mutex);
    if (!session) return;
    g2p_session_end(session);
  }
}

/* False where there is no memory for it. */
static bool work_on(g2p *model, struct g2p_job *job) {
  struct g2p_session *session = borrow(model);
  if (!session) return false;
  bool worked = g2p_work(session, job);
  give_back(model, session);
  return worked;
}

/* In the order of the calls. */
static void join_queue(g2p *model, struct g2p_task *task) {
  struct g2p_task **link = &model->tasks;
  while (*link) link = &(*link)->next;
  *link = task;
}

static void leave_queue(g2p *model, const struct g2p_task *task) {
  for (struct g2p_task **link = &model->tasks; *link; link = &(*link)->next)
    if (*link == task) {
      *link = task->next;
      return;
    }
}

G2P_THREAD_MAIN(help, argument) {
  g2p *model = argument;
  g2p_lock(&model->mutex);
  while (!model->closing) {
    struct g2p_task *task = model->tasks;
    if (!task) {
      g2p_wait(&model->work, &model->mutex);
      continue;
    }
    task->active++;
    if (--task->wanted == 0) leave_queue(model, task);
    g2p_unlock(&model->mutex);
    if (g2p_has_words(task->job)) work_on(model, task->job); /* where there is no memory, others do the work */
    g2p_lock(&model->mutex);
    if (--task->active == 0) g2p_wake_all(&model->done);
  }
  g2p_unlock(&model->mutex);
  return G2P_THREAD_END;
}

void g2p_run_job(g2p *model, struct g2p_job *job) {
  struct g2p_task task = {job, job->threads - 1, 0, NULL};
  if (!task.wanted) {
    if (!work_on(model, job)) g2p_stop(job, G2P_NO_MEMORY);
    return;
  }
  g2p_lock(&model->mutex);
  /* Where the system gives no more threads, those that there are do the work. */
  while (model->helpers_count < task.wanted && g2p_start(&model->helpers[model->helpers_count], help, model))
    model->helpers_count++;
  join_queue(model, &task);
  g2p_wake_all(&model->work);
  g2p_unlock(&model->mutex);

  if (!work_on(model, job)) g2p_stop(job, G2P_NO_MEMORY);

  g2p_lock(&model->mutex);
  leave_queue(model, &task);
  while (task.active) g2p_wait(&model->done, &model->mutex);
  g2p_unlock(&model->mutex);
}

void g2p_pool_end(g2p *model) {
  g2p_lock(&model->mutex);
  model->closing = true;
  g2p_wake_all(&model->work);
  g2p_unlock(&model->mutex);
  for (uint32_t i = 0; i < model->helpers_count; i++) g2p_join(model->helpers[i]);
  for (uint32_t i = 0; i < model->idle_count; i++) g2p_session_end(model->idle[i]);
}
