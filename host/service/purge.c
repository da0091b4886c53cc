#include "purge.h"

int purge_rows(struct work *work, const struct purge *purges, size_t count, bool *more)
{
	*more = false;
	for (size_t i = 0; i < count; i++) {
		int64_t gone = 0;
		int result =
			db_run(work->db, purges[i].sql, DB_VALUES(db_int(purges[i].before)), &gone);

		if (result)
			return result;
		*more |= gone == PURGE_ROWS;
		if (purges[i].labels)
			metrics_count(work->service->metrics, "purged", purges[i].labels,
				      (uint64_t)gone);
	}
	return DB_OK;
}

int purge_run(struct work *work, const struct purge *purges, size_t count, bool *more)
{
	bool believed;
	const int result = purge_clock(work, &believed);

	*more = false;
	return result == DB_OK && believed ? purge_rows(work, purges, count, more) : result;
}
