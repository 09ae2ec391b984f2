<?php

namespace Shelf;

/** Takes covers from the form. */
final class Upload
{
    // below what the host cuts off, see deploy/php.ini.md
    private const MOST = 30 * 1024 * 1024;

    public function accepts(array $file): bool
    {
        return $file['error'] === UPLOAD_ERR_OK
            && is_uploaded_file($file['tmp_name'])
            && $file['size'] <= self::MOST;
    }

    public function run(array $file): string
    {
        set_time_limit(15);

        // the largest size that a page shows
        $size = 1400;
        $cover = new Cover($file['tmp_name']);

        return $cover->scaled($size)->withoutMetadata();
    }
}
