// SPDX-License-Identifier: GPL-2.0
#include "vfs.h"

#include <linux/delayed_call.h>
#include <uapi/linux/fs.h>
#include <linux/fileattr.h>
#include <linux/pipe_fs_i.h>
#include <linux/sched/task.h>

/* Rust hands these over as one pointer-sized word. */
static_assert(sizeof(struct delegated_inode) <= sizeof(void *));

const struct cred *ksmbd_override_creds(const struct cred *cred)
{
	return override_creds(cred);
}

const struct cred *ksmbd_current_cred(void)
{
	return current_cred();
}

struct cred *ksmbd_prepare_init_cred(void)
{
	return prepare_kernel_cred(&init_task);
}

void ksmbd_put_group_info(struct group_info *groups)
{
	put_group_info(groups);
}

/*
 * The umask belongs to fs_struct, and that of a kernel thread is shared with all others: so for the time of a request the
 * task looks at this constant one, whose umask is 0. Only the task itself reads ->fs; other tasks read ->real_fs.
 */
static struct fs_struct ksmbd_fs = {
	.users = 1,
	.seq = __SEQLOCK_UNLOCKED(ksmbd_fs.seq),
	.umask = 0,
};

struct fs_struct *ksmbd_fs_enter(void)
{
	struct fs_struct *old = current->fs;

	/* The initial task's root is permanent, hence unreferenced; writing the same values twice is harmless. */
	if (unlikely(!READ_ONCE(ksmbd_fs.root.mnt))) {
		ksmbd_fs.pwd = init_task.real_fs->root;
		ksmbd_fs.root.dentry = init_task.real_fs->root.dentry;
		smp_store_release(&ksmbd_fs.root.mnt, init_task.real_fs->root.mnt);
	}
	WRITE_ONCE(current->fs, &ksmbd_fs);
	return old;
}

void ksmbd_fs_leave(struct fs_struct *old)
{
	WRITE_ONCE(current->fs, old);
}

int ksmbd_kern_path(const char *name, unsigned int flags, struct path *path)
{
	int err = -EINVAL;

	scoped_with_init_fs()
		err = kern_path(name, flags, path);
	return err;
}

struct mnt_idmap *ksmbd_mnt_idmap(const struct vfsmount *mnt)
{
	return mnt_idmap(mnt);
}

bool ksmbd_d_can_lookup(const struct dentry *dentry)
{
	return d_can_lookup(dentry);
}

bool ksmbd_d_mountpoint(const struct dentry *dentry)
{
	return d_mountpoint(dentry);
}

bool ksmbd_d_unlinked(const struct dentry *dentry)
{
	return d_unlinked(dentry);
}

int ksmbd_readlink(struct dentry *dentry, char *buf, unsigned int size)
{
	DEFINE_DELAYED_CALL(done);
	const char *target = vfs_get_link(dentry, &done);
	ssize_t len = IS_ERR(target) ? PTR_ERR(target) : strscpy(buf, target, size);

	do_delayed_call(&done);
	return len == -E2BIG ? -ENAMETOOLONG : len;
}

unsigned char ksmbd_dentry_begins(struct dentry *dentry)
{
	unsigned char first;

	spin_lock(&dentry->d_lock);
	first = dentry->d_name.name[0];
	spin_unlock(&dentry->d_lock);
	return first;
}

int ksmbd_dentry_name(struct dentry *dentry, char *buf, unsigned int size)
{
	int len = -ENAMETOOLONG;

	spin_lock(&dentry->d_lock);
	if (dentry->d_name.len <= size) {
		len = dentry->d_name.len;
		memcpy(buf, dentry->d_name.name, len);
	}
	spin_unlock(&dentry->d_lock);
	return len;
}

void ksmbd_inode_lock(struct inode *inode)
{
	inode_lock(inode);
}

void ksmbd_inode_unlock(struct inode *inode)
{
	inode_unlock(inode);
}

bool ksmbd_is_append(const struct inode *inode)
{
	return IS_APPEND(inode);
}

bool ksmbd_keeps_entry(struct mnt_idmap *idmap, struct inode *dir, struct inode *inode)
{
	return IS_APPEND(dir) || IS_APPEND(inode) || IS_IMMUTABLE(inode) || check_sticky(idmap, dir, inode);
}

bool ksmbd_path_noexec(const struct path *path)
{
	return (path->mnt->mnt_flags & MNT_NOEXEC) || (path->mnt->mnt_sb->s_iflags & SB_I_NOEXEC);
}

dev_t ksmbd_inode_dev(const struct inode *inode)
{
	return inode->i_sb->s_dev;
}

bool ksmbd_dir_version(struct inode *dir, u64 *version)
{
	if (!IS_I_VERSION(dir))
		return false;
	*version = inode_query_iversion(dir);
	return true;
}

int ksmbd_break_deleg_wait(struct delegated_inode *di)
{
	return is_delegated(di) ? break_deleg_wait(di) : -EWOULDBLOCK;
}

int ksmbd_break_dir_deleg(struct inode *dir)
{
	return break_deleg(dir, LEASE_BREAK_DIR_CREATE);
}

int ksmbd_break_lease_for_write(struct inode *inode)
{
	return break_lease(inode, O_WRONLY);
}

const struct path *ksmbd_file_path(struct file *file)
{
	return &file->f_path;
}

loff_t ksmbd_file_size(const struct file *file)
{
	return i_size_read(file_inode(file));
}

loff_t ksmbd_file_max_size(const struct file *file)
{
	return file_inode(file)->i_sb->s_maxbytes;
}

struct page *ksmbd_nth_page(struct page *page, size_t n)
{
	return page + n;
}

/* fput() of a kernel thread is deferred: a client that has its CLOSE answered may expect the file to be closed. */
void ksmbd_file_keep_times(struct file *file, bool written, bool accessed)
{
	spin_lock(&file->f_lock);
	file->f_mode = written ? file->f_mode | FMODE_NOCMTIME : file->f_mode & ~FMODE_NOCMTIME;
	file->f_flags = accessed ? file->f_flags | O_NOATIME : file->f_flags & ~O_NOATIME;
	spin_unlock(&file->f_lock);
}

void ksmbd_file_close(struct file *file)
{
	get_file(file);
	filp_close(file, NULL);
	__fput_sync(file);
}

void ksmbd_file_start_write(struct file *file)
{
	file_start_write(file);
}

void ksmbd_file_end_write(struct file *file)
{
	file_end_write(file);
}

/*
 * A class of its own: nobody but the server moves in its files. Programs hold the position of theirs while they write to the server's
 * sysfs files, which waits for the workers that take this one.
 */
void ksmbd_file_pos_lock(struct file *file)
{
	mutex_lock_nested(&file->f_pos_lock, SINGLE_DEPTH_NESTING);
}

void ksmbd_file_pos_unlock(struct file *file)
{
	mutex_unlock(&file->f_pos_lock);
}

struct ksmbd_splice {
	int (*take)(void *ctx, struct page *page, unsigned int offset, unsigned int len);
	void *ctx;
};

static int ksmbd_splice_buffer(struct pipe_inode_info *pipe, struct pipe_buffer *buf, struct splice_desc *sd)
{
	struct ksmbd_splice *splice = sd->u.data;
	int err = splice->take(splice->ctx, buf->page, buf->offset, sd->len);

	return err ? err : sd->len;
}

static int ksmbd_splice_actor(struct pipe_inode_info *pipe, struct splice_desc *sd)
{
	return __splice_from_pipe(pipe, sd, ksmbd_splice_buffer);
}

ssize_t ksmbd_splice_pages(struct file *file, loff_t pos, size_t len,
			   int (*take)(void *ctx, struct page *page, unsigned int offset, unsigned int len),
			   void *ctx)
{
	struct ksmbd_splice splice = { .take = take, .ctx = ctx };
	struct splice_desc sd = { .total_len = len, .pos = pos, .u.data = &splice };

	return splice_direct_to_actor(file, &sd, ksmbd_splice_actor);
}

int ksmbd_statfs(const struct path *path, u64 out[9])
{
	struct kstatfs st;
	int err = vfs_statfs(path, &st);

	if (err)
		return err;
	out[0] = st.f_bsize;
	out[1] = st.f_blocks;
	out[2] = st.f_bfree;
	out[3] = st.f_bavail;
	out[4] = st.f_files;
	out[5] = st.f_ffree;
	out[6] = st.f_namelen;
	out[7] = st.f_type;
	out[8] = (u64)(u32)st.f_fsid.val[1] << 32 | (u32)st.f_fsid.val[0];
	return 0;
}

bool ksmbd_can_trim(const struct dentry *dentry)
{
	return dentry->d_sb->s_bdev && bdev_max_discard_sectors(dentry->d_sb->s_bdev);
}

int ksmbd_set_compressed(struct mnt_idmap *idmap, struct dentry *dentry, bool on)
{
	struct file_kattr attr = { .flags_valid = true };
	int err = vfs_fileattr_get(dentry, &attr);

	if (err)
		return err;
	fileattr_fill_flags(&attr, on ? attr.flags | FS_COMPR_FL : attr.flags & ~FS_COMPR_FL);
	return vfs_fileattr_set(idmap, dentry, &attr);
}

void ksmbd_iattr_set_owner(struct iattr *attr, uid_t uid, gid_t gid)
{
	attr->ia_vfsuid = VFSUIDT_INIT(make_kuid(&init_user_ns, uid));
	attr->ia_vfsgid = VFSGIDT_INIT(make_kgid(&init_user_ns, gid));
}

unsigned int ksmbd_acl_count(const struct posix_acl *acl)
{
	return acl->a_count;
}

/* Ids go through the mapping of the mount; those that have no counterpart become the overflow id. */
void ksmbd_acl_get_entry(const struct posix_acl *acl, unsigned int i, struct mnt_idmap *idmap,
			 const struct inode *inode, u16 *tag, u16 *perm, u32 *id)
{
	const struct posix_acl_entry *pe = &acl->a_entries[i];
	struct user_namespace *fs_userns = i_user_ns(inode);

	*tag = pe->e_tag;
	*perm = pe->e_perm;
	*id = ACL_UNDEFINED_ID;
	if (pe->e_tag == ACL_USER)
		*id = from_kuid_munged(&init_user_ns, vfsuid_into_kuid(make_vfsuid(idmap, fs_userns, pe->e_uid)));
	else if (pe->e_tag == ACL_GROUP)
		*id = from_kgid_munged(&init_user_ns, vfsgid_into_kgid(make_vfsgid(idmap, fs_userns, pe->e_gid)));
}

void ksmbd_acl_set_entry(struct posix_acl *acl, unsigned int i, u16 tag, u16 perm, u32 id)
{
	struct posix_acl_entry *pe = &acl->a_entries[i];

	pe->e_tag = tag;
	pe->e_perm = perm;
	if (tag == ACL_USER)
		pe->e_uid = make_kuid(&init_user_ns, id);
	else if (tag == ACL_GROUP)
		pe->e_gid = make_kgid(&init_user_ns, id);
}

void ksmbd_acl_release(struct posix_acl *acl)
{
	posix_acl_release(acl);
}

/* The open file owns the lock, so that the last close releases it and two opens of one client conflict. */
struct file_lock *ksmbd_lock_alloc(struct file *file, unsigned char type, loff_t start, loff_t end, bool wait)
{
	struct file_lock *lock = locks_alloc_lock();

	if (!lock)
		return NULL;
	lock->c.flc_file = file;
	lock->c.flc_owner = file;
	lock->c.flc_pid = current->tgid;
	lock->c.flc_flags = FL_POSIX | FL_OFDLCK | (wait ? FL_SLEEP : 0);
	lock->c.flc_type = type;
	lock->fl_start = start;
	lock->fl_end = end;
	return lock;
}

unsigned char ksmbd_lock_type(const struct file_lock *lock)
{
	return lock->c.flc_type;
}

loff_t ksmbd_lock_start(const struct file_lock *lock)
{
	return lock->fl_start;
}

loff_t ksmbd_lock_end(const struct file_lock *lock)
{
	return lock->fl_end;
}
