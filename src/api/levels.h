#ifndef API_LEVELS_H
#define API_LEVELS_H

#include "api/write.h"

/* A set that changed nothing has no movement to show: reads the level and answers with it. */
void levels_answer_unchanged(struct write *w, struct api *api);

#endif
